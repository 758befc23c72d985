"""LIST patterns."""

import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.access.imap.folders import matcher, parents


@settings(max_examples=300)
@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=8))
def test_patterns_as_regular_expressions(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(char, re.escape(char)) for char in pattern)
    assert matcher(pattern)(name) == bool(re.fullmatch(expression, name))


def test_inbox_in_any_case() -> None:
    assert matcher("inbox")("INBOX")
    assert matcher("Inbox/%")("INBOX/Sub")
    assert matcher("inbox*")("inboxes") and matcher("inbox*")("INBOX")
    assert not matcher("sub/inbox")("sub/INBOX")


def test_no_pattern_takes_long() -> None:
    name = "a" * 1000
    started = time.process_time()
    for pattern in ("*a" * 100 + "b", "%a*" * 100 + "b", "*%" * 300 + "b"):
        assert not matcher(pattern)(name)
    # A backtracking matcher would need years.
    assert time.process_time() - started < 5


def test_parents() -> None:
    assert parents(["a/b/c", "a/d", "e"]) == {"a", "a/b"}
