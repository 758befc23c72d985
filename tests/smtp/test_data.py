"""DATA's transparency beside a plain reading of RFC 5321 section 4.5.2."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.smtp.wire.data import DataReader, LineEnds, stuff

# Mostly the bytes that matter.
PIECES = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"a", b"\0", b"bc\r\n", b"\xff"]), max_size=30
)
HOSTILE = PIECES.map(b"".join)
LINES = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"text", b"\xc3\xa4"]), max_size=20)
MESSAGES = LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(edges)]


def read(pieces: list[bytes]) -> tuple[bytes, bytes | None, bool, bool]:
    """(content, what follows the end or None, smuggling, clean)."""
    reader = DataReader()
    content = b""
    rest: bytes | None = None
    for index, piece in enumerate(pieces):
        got, rest = reader.feed(piece)
        content += got
        if reader.smuggling:
            return b"", None, True, False
        if rest is not None:
            return content, rest + b"".join(pieces[index + 1 :]), False, reader.ends.are_clean
    return content, rest, reader.smuggling, reader.ends.are_clean


def plainly(data: bytes) -> tuple[bytes, bytes, bool, bool] | None:
    """The same by the book, for data that has an end; None for other data."""
    before, end, rest = (b"\r\n" + data).partition(b"\r\n.\r\n")
    if not end:
        return None
    raw = (before + b"\r\n")[2:]
    if re.search(rb"[\r\n]\.[\r\n]", b"\r\n" + raw):
        return b"", b"", True, False
    clean = not re.search(rb"\r(?!\n)|(?<!\r)\n", raw)
    lines = raw.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines), rest, False, clean


@given(MESSAGES, st.binary(max_size=10), st.lists(st.integers(0, 500), max_size=8))
def test_what_is_stuffed_comes_out(message: bytes, after: bytes, places: list[int]) -> None:
    content, rest, smuggling, clean = read(cut(stuff(message) + after, places))
    assert (content, rest, smuggling, clean) == (message, after, False, True)


def test_a_last_line_without_its_end_gets_one() -> None:
    assert stuff(b"a") == b"a\r\n.\r\n"
    assert stuff(b".") == b"..\r\n.\r\n"


@settings(max_examples=300)
@given(HOSTILE, HOSTILE, st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_in_any_cuts(before: bytes, after: bytes, places: list[int]) -> None:
    data = before + b"\r\n.\r\n" + after
    expected = plainly(data)
    assert expected is not None
    content, rest, smuggling, clean = read(cut(data, places))
    if expected[2]:
        assert smuggling
    else:
        assert (content, rest, smuggling, clean) == expected


@given(HOSTILE, st.lists(st.integers(0, 200), max_size=8))
def test_line_ends_in_any_cuts(data: bytes, places: list[int]) -> None:
    ends = LineEnds()
    for piece in cut(data, places):
        ends.add(piece)
    assert ends.are_clean == (not re.search(rb"\r(?!\n)|(?<!\r)\n", data))


@pytest.mark.parametrize("before", [b"", b"x", b"\r\n", b"." * 3])
@pytest.mark.parametrize(
    "lookalike", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\r\n.\rx", b"\r.\r\n"]
)
def test_every_lookalike_is_noticed(before: bytes, lookalike: bytes) -> None:
    data = before + lookalike + b"MAIL FROM:<x@example.com>\r\n.\r\n"
    for place in range(len(data)):
        assert read(cut(data, [place]))[2], place


@pytest.mark.parametrize("lookalike", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\n"])
@pytest.mark.parametrize("length", [10, 70_000])
def test_a_lookalike_is_noticed_at_once_behind_a_long_line_and_in_any_cut(length: int, lookalike: bytes) -> None:
    for place in range(len(lookalike)):
        reader = DataReader()
        reader.feed(b"x" * length + lookalike[:place])
        reader.feed(lookalike[place:])
        assert reader.smuggling, place


def test_bare_line_ends_far_from_each_other_are_no_lookalike() -> None:
    assert read([b"a\nb\r\n", b"c.\r\n", b".", b"\r\n"]) == (b"a\nb\r\nc.\r\n", b"", False, False)
