"""Charsets: the named ones, the wrong ones, the hostile ones."""

import codecs
import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.message.charsets import codec, to_unicode


@pytest.mark.parametrize(
    "charset, data, expected",
    [
        ("utf-8", "ü€".encode(), "ü€"),
        ("UTF8", "ü".encode(), "ü"),
        ("iso-8859-1", b"\xfc", "ü"),
        # Labelled as Latin-1 or ASCII, but from Windows.
        ("iso-8859-1", b"a \x93b\x94", "a \u0093b\u0094"),
        ("us-ascii", b"\x93b\x94", "“b”"),
        ("us-ascii", "ü".encode(), "ü"),
        ("ISO_8859-1:1987", b"\xfc", "ü"),
        ("ks_c_5601-1987", "한국".encode("euc_kr"), "한국"),
        ("gb2312", "镕".encode("gb18030"), "镕"),
        ("windows-874", b"\xa1", "ก"),
        ("iso-8859-8-i", b"\xe0", "א"),
        ("iso-2022-jp", "日本".encode("iso2022_jp"), "日本"),
        ("utf-16le", "ü".encode("utf-16le"), "ü"),
        ("utf-8", b"a\xff\xe2\x82\xac", "a\ufffd€"),
        ("unheard-of", b"\xfc", "ü"),
        ("unheard-of", "ü".encode(), "ü"),
        ("utf-8*de", "ü".encode(), "ü"),
        ("", b"\xfc", "ü"),
        ("utf-7", b"+2AA-", "?"),
        ("utf-7", b"+2AA-\xff", "?\ufffd"),
    ],
)
def test_charsets(charset: str, data: bytes, expected: str) -> None:
    assert to_unicode(data, charset) == expected


@pytest.mark.parametrize(
    "name", ["punycode", "idna", "unicode_escape", "rot13", "zlib", "hex", "base64", "undefined", "x" * 50, "utf\0-8x"]
)
def test_what_is_no_charset_is_not_looked_up(name: str) -> None:
    assert codec(name) is None
    assert to_unicode(b"eJw\xff", name)


def test_strange_names_leave_nothing_behind() -> None:
    known = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(100):
        to_unicode(b"\xff", f"strange-{number}")
    assert len(encodings._cache) == known  # type: ignore[attr-defined]


def test_every_charset_of_the_table_exists() -> None:
    from everpost.message import charsets

    for name in {*charsets._PYTHON.values(), *charsets._MORE.values(), *charsets._LARGER.values()}:
        assert codecs.lookup(name)._is_text_encoding


@given(
    st.binary(max_size=50), st.sampled_from(["utf-8", "utf-7", "utf-16", "gb2312", "iso-2022-jp", "hz", "big5", "x"])
)
def test_any_bytes_become_text_that_can_be_stored(data: bytes, charset: str) -> None:
    to_unicode(data, charset).encode("utf-8")
