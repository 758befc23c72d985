"""Messages put together from text."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.message.build import field, multipart, raw_field, text_part
from everpost.message.parse import parse
from everpost.message.text import part_text

TEXT = st.text(st.characters(codec="utf-8"), max_size=80)


@given(TEXT)
def test_a_field_is_one_field(value: str) -> None:
    for made in (field("X-Test", value), raw_field("X-Test", value), raw_field("X-Test", value, "ascii")):
        assert made.startswith(b"X-Test: ") and made.endswith(b"\r\n") and b"\0" not in made
        lines = made[:-2].split(b"\r\n")
        assert all(line.startswith(b" ") for line in lines[1:])
        assert not any(b"\n" in line or b"\r" in line for line in lines)


@pytest.mark.parametrize("value", ["word " * 2000, "x" * 5000, "ü" * 5000])
def test_long_fields_are_folded(value: str) -> None:
    assert max(map(len, raw_field("X-Test", value).split(b"\r\n"))) < 998


def test_bad_names_are_our_fault() -> None:
    for name in ("", "a b", "a:", "ä"):
        with pytest.raises(AssertionError):
            field(name, "x")


@given(TEXT)
def test_text_comes_back(text: str) -> None:
    made = text_part(text)
    assert made.isascii() and max(map(len, made.split(b"\r\n"))) < 998
    assert b"\n" not in made.replace(b"\r\n", b"") and b"\r" not in made.replace(b"\r\n", b"")
    wanted = text.replace("\r\n", "\n").replace("\r", "\n")
    wanted += "" if wanted.endswith("\n") else "\n"
    assert part_text(made, parse(made).root).replace("\r\n", "\n") == wanted
    peer = email.message_from_bytes(made, policy=email.policy.default)
    assert peer.get_content().replace("\r\n", "\n") == wanted


def test_multiparts() -> None:
    made = multipart("mixed", "frontier", [text_part("one"), text_part("zwölf", "html")], "; x=y")
    root = parse(made).root
    assert [(part.type, part.subtype) for part in root.children] == [("text", "plain"), ("text", "html")]
    assert root.param("x") == "y" and root.encoding == "7bit"
    assert [part_text(made, part).strip() for part in root.children] == ["one", "zwölf"]
    raw = multipart("mixed", "frontier", [b"\r\n\xff"])
    assert parse(raw).root.encoding == "8bit"
