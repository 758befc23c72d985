"""Modified UTF-7 and UTF-8 names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.access.imap.wire import names
from everpost.access.imap.wire.names import BadName


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_comes_back(name: str) -> None:
    wire = names.encode(name, utf8=False)
    assert wire.isascii()
    assert names.decode(wire, utf8=False) == name
    assert names.decode(names.encode(name, utf8=True), utf8=True) == name


@given(st.binary(max_size=30) | st.from_regex(rb"(&[A-Za-z0-9+,]{0,8}-?|[a-z&-])*", fullmatch=True))
def test_any_bytes_are_one_name_or_none(wire: bytes) -> None:
    try:
        name = names.decode(wire, utf8=False)
    except BadName:
        return
    # No two spellings for one name, but for UTF-8 from clients that do not encode.
    if wire.isascii():
        assert names.encode(name, utf8=False) == wire


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"&-", "&"),
        (b"a&-b", "a&b"),
        (b"&2D3eAA-", "😀"),
        ("ä".encode(), "ä"),
    ],
)
def test_known_names(wire: bytes, name: str) -> None:
    assert names.decode(wire, utf8=False) == name


@pytest.mark.parametrize("wire", [b"&", b"&AGE-", b"a&b", b"&U,BTFw", b"&2D0-", b"&AA-", b"\xff", b"&AOQ-&APY-"])
def test_what_is_no_name(wire: bytes) -> None:
    with pytest.raises(BadName):
        names.decode(wire, utf8=False)
