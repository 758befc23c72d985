"""Header fields: order, folding, odd lines, where the header ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.message.fields import Fields, header_end, select, unfold

HEADER = (
    b"From someone Mon Jan  1 00:00:00 2001\r\nSubject: one\r\n two\r\nTo : a@b\r\nno colon here\r\n"
    b"X-Empty:\r\nSUBJECT: three\r\n\r\nBody: not a field\r\n"
)


def test_fields_in_order_with_raw_values() -> None:
    fields = Fields.of(HEADER)
    assert list(fields) == fields.items()
    assert fields.items() == [
        (b"Subject", b" one\r\n two\r"),
        (b"To", b" a@b\r"),
        (b"X-Empty", b"\r"),
        (b"SUBJECT", b" three\r"),
    ]
    assert fields.get("subject") == b"one two"
    assert fields.all("Subject") == [b"one two", b"three"]
    assert fields.count("subject") == 2 and fields.count("x") == 0 and fields.all("x") == []
    assert fields.get("x-empty") == b"" and fields.get("body") is None
    assert "to" in fields and "no colon here" not in fields


@pytest.mark.parametrize(
    "raw, end",
    [
        (b"", 0),
        (b"\r\nx", 2),
        (b"\nx", 1),
        (b"a: b\r\n\r\nx", 8),
        (b"a: b\n\nx", 6),
        (b"a: b\r\n\nx", 7),
        (b"a: b\n\r\nx", 7),
        (b"a: b\r\n", 6),
        (b"a: b\n\nc\r\n\r\n", 6),
        (b"a: b\r\n\r\nc\n\n", 8),
    ],
)
def test_where_the_header_ends(raw: bytes, end: int) -> None:
    assert header_end(raw, 0, len(raw)) == end
    assert header_end(b"\n\n" + raw + b"\n\n", 2, 2 + len(raw)) == 2 + end


@pytest.mark.parametrize("gap", [b"\n\n", b"\n\r\n"])
@pytest.mark.parametrize("size", [10, 65_533, 65_534, 65_535, 65_536, 65_537, 70_000])
def test_long_headers_end_where_short_ones_do(size: int, gap: bytes) -> None:
    raw = b"a" * size + gap + b"b\n\nc"
    assert header_end(raw, 0, len(raw)) == size + len(gap)
    assert header_end(raw[:size], 0, size) == size


def test_selecting_fields() -> None:
    header = b"A: 1\r\nB: 2\r\n 3\r\nc: 4\r\n\r\n"
    assert select(header, frozenset({b"b", b"c"})) == b"B: 2\r\n 3\r\nc: 4\r\n\r\n"
    assert select(header, frozenset({b"b"}), but=True) == b"A: 1\r\nc: 4\r\n\r\n"
    assert select(b"A: 1\nB: 2", frozenset({b"a"})) == b"A: 1\r\n\r\n"


def test_unfolding_keeps_the_space_that_folded() -> None:
    assert unfold(b" a\r\n\tb\n c \r") == b"a\tb c"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header(raw: bytes) -> None:
    end = header_end(raw, 0, len(raw))
    assert 0 <= end <= len(raw)
    for name, value in Fields.of(raw):
        assert name + b":" in raw.replace(b" ", b"").replace(b"\t", b"")
        assert value in raw
