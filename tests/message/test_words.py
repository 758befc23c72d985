"""Encoded words, both ways."""

import email.header
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.message.fields import Fields
from everpost.message.words import decode, encode
from tests.corpus import corpus


@pytest.mark.parametrize(
    "value, expected",
    [
        (b"plain", "plain"),
        ("grün".encode(), "grün"),
        (b"gr\xfcn", "grün"),
        (b"=?iso-8859-1?Q?a_b=FC?=", "a bü"),
        (b"=?utf-8?b?w7w=?= =?utf-8?B?w7w=?= x", "üü x"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8*en?q?b?=", "b"),
        # One character cut in two.
        (b"=?utf-8?q?=c3?= =?utf-8?q?=bc?=", "ü"),
        (b"=?utf-8?b?w7w?=", "ü"),
        (b"=?nonsense?q?a=20b?=", "a b"),
        (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?b?!!!?=", ""),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
    ],
)
def test_decoding(value: bytes, expected: str) -> None:
    assert decode(value) == expected


def corpus_values() -> list[tuple[str, str]]:
    cases = json.loads((corpus() / "mime" / "headers" / "unstructured.json").read_text())
    assert len(cases) >= 30
    return [(case["header"], case["expected"]) for case in cases]


@pytest.mark.parametrize("header, expected", corpus_values())
def test_corpus(header: str, expected: str) -> None:
    value = Fields(b"Subject:" + header.encode()).get("subject")
    assert value is not None
    # Spaces are compared in test_decoding: the corpus joins folds by one, ours keeps what folded.
    assert "".join(decode(value).split()) == "".join(expected.split())


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=120)


@given(TEXT)
def test_what_is_encoded_is_decoded_again(text: str) -> None:
    coded = encode(text)
    assert coded.isascii()
    assert decode(coded.replace("\r\n", "").encode()) == text
    if coded != text:
        assert all(len(line) <= 76 for line in coded.split("\r\n"))
        assert str(email.header.make_header(email.header.decode_header(coded))) == text


@given(st.text(max_size=40))
def test_nothing_can_be_injected(text: str) -> None:
    coded = encode(f"{text}\r\nBcc: x\0")
    assert all(line.startswith(" ") for line in coded.split("\r\n")[1:])
    assert "\0" not in coded and "\r" not in coded.replace("\r\n", "") and "\n" not in coded.replace("\r\n", "")


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"=?", b"?=", b"utf-8?q?", b"=c3", b" ", b"b?", b"%"])).map(b"".join)
)
def test_any_bytes_can_be_shown(value: bytes) -> None:
    decode(value).encode("utf-8")
