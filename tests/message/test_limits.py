"""Hostile messages cost work that grows no faster than they do. Work is counted, never timed."""

import re
import sys
from collections.abc import Callable
from types import FrameType, ModuleType

import pytest

from everpost.message import addresses, charsets, dates, fields, imapform, parse, text, words
from everpost.message.addresses import MAX_ADDRESSES, parse_list
from everpost.message.digest import digest
from everpost.message.parse import MAX_DELIMITERS, MAX_PARAMS
from everpost.message.parse import parse as parse_message
from everpost.message.part import Part


def calls(work: Callable[[], object]) -> int:
    """How many functions run, C functions included."""
    count = 0

    def see(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


MIXED = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n"


def prefixes(lines: int) -> bytes:
    """Multiparts in multiparts, each boundary the beginning of the next."""
    heads = b"".join(MIXED % (b"a" * n) + b"--" + b"a" * n + b"\r\n" for n in range(1, 50))
    return heads + (b"--" + b"a" * 50 + b"x\n") * lines


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "dashes": lambda n: MIXED % b"-" + b"--\n" * n,
    "near misses": lambda n: MIXED % b"-" + b"---x\n" * n,
    "delimiters": lambda n: MIXED % b"-" + b"---\n" * n,
    "prefixes": prefixes,
    "messages": lambda n: b"Content-Type: message/rfc822\n\n" * 49 + b"\n" * n,
    "messages without bodies": lambda n: b"Content-Type: message/rfc822\n\n" * 49 + b"a:b\n" * n,
    "fields": lambda n: b"a:b\r\n" * n,
    "recipients": lambda n: b"To: " + b"a@b, " * n + b"\r\n\r\n",
    "many To": lambda n: b"To:b@c\r\n" * n,
    "words without commas": lambda n: b"To: (x)" + b"a " * n + b"\r\n\r\n",
    "angles": lambda n: b"To: " + b"<a " * n + b"\r\n\r\n",
    "open comments": lambda n: b"To: " + b"(" * n + b"\r\n\r\n",
    "open quotes": lambda n: b"To: " + b'"\\' * n + b"\r\n\r\n",
    "literals": lambda n: b"To: a:" + b"[" * n + b"\r\n\r\n",
    "colons": lambda n: b"To: " + b"a:" * n + b"\r\n\r\n",
    "routes": lambda n: b"To: " + b"<@a," * n + b"\r\n\r\n",
    "parameters": lambda n: b"Content-Type: a/b" + b";c=d" * n + b"\r\n\r\n",
    "languages": lambda n: b"Content-Language: " + b"a," * n + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_no_faster_than_the_message(name: str) -> None:
    small, large = (calls(lambda size=size: digest(HOSTILE[name](size))) for size in (1_500, 6_000))  # type: ignore[misc]
    assert large < 5 * small + 200


# The others are limited by the size of the header that is looked at.
COUNTED = ("near misses", "delimiters", "prefixes", "messages without bodies", "recipients", "parameters", "languages")


@pytest.mark.parametrize("name", COUNTED)
def test_work_has_an_end(name: str) -> None:
    assert calls(lambda: digest(HOSTILE[name](100_000))) < 160_000


@pytest.mark.parametrize("module", [addresses, charsets, dates, fields, imapform, parse, text, words])
def test_no_pattern_goes_back_over_what_it_has_read(module: ModuleType) -> None:
    """Every repeat without a limit is possessive, or is all there is: so matching is linear."""
    parser = re._parser  # type: ignore[attr-defined]

    def unlimited(tree: object) -> list[str]:
        found = []
        for operation, argument in tree:  # type: ignore[attr-defined]
            name = str(operation)
            if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
                if argument[1] is parser.MAXREPEAT and name != "POSSESSIVE_REPEAT":
                    found.append(name)
                found += unlimited(argument[2])
            elif name == "SUBPATTERN":
                found += unlimited(argument[3])
            elif name == "BRANCH":
                found += [each for branch in argument[1] for each in unlimited(branch)]
        return found

    patterns = {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}
    assert patterns
    # Dates are cut to 200 bytes, and what IMAP quotes is one class of characters to the end.
    excepted = {"_DATE", "_PLAIN", "_QUOTABLE"} if module in {dates, imapform} else set()
    for name, pattern in patterns.items():
        if name not in excepted:
            assert not unlimited(parser.parse(pattern.pattern, pattern.flags)), name


# 8,000 of these took minutes once.
@pytest.mark.parametrize(
    "text", [" " * 8000 + '"a', "a" + " " * 8000 + "b", "a" + " " * 8000 + "<b", '"' + "\\" * 8001]
)
def test_long_spaces_in_addresses(text: str) -> None:
    assert calls(lambda: parse_list(text)) < 200


def test_numbers_are_limited() -> None:
    assert len(parse_list(b"a@b, " * (MAX_ADDRESSES + 50))) <= MAX_ADDRESSES
    assert len(parse_list(b'"a" <a@b>, ' * (MAX_ADDRESSES + 50))) <= MAX_ADDRESSES
    assert len(parse_message(b"To:a@b\r\n" * (MAX_ADDRESSES + 50)).envelope.to) <= MAX_ADDRESSES
    assert len(parse_message(b"Content-Type: a/b" + b";c=d" * 500).root.params) <= MAX_PARAMS


@pytest.mark.parametrize("line", [b"--ab\r\n", b"--a\r\n"])
def test_after_too_many_delimiters_no_more_are_looked_for(line: bytes) -> None:
    end = b"--a\r\n\r\ny\r\n--a--"
    few = MIXED % b"a" + b"--a\r\n\r\nx\r\n" + line * (MAX_DELIMITERS - 3) + end
    assert len(parse_message(few).root.children) == 2
    many = MIXED % b"a" + b"--a\r\n\r\nx\r\n" + line * MAX_DELIMITERS + end
    children = parse_message(many).root.children
    assert children[-1].body_end == len(many)


def leaf_types(part: Part) -> set[str]:
    return (
        {f"{part.type}/{part.subtype}"}.union(*map(leaf_types, part.children))
        if part.children
        else {f"{part.type}/{part.subtype}"}
    )


def test_what_is_too_deep_has_a_form_that_imap_knows() -> None:
    deep = b"Content-Type: message/rfc822\r\n\r\n" * 60
    message = parse_message(deep)
    assert "application/octet-stream" in leaf_types(message.root)
    form = imapform.bodystructure(message.root)
    # Each MESSAGE has its envelope.
    assert form.count(b'"MESSAGE" "RFC822"') == form.count(b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")
