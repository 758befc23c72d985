"""Delimiters between parts where they are odd, missing, or alike."""

import pytest

from everpost.message.parse import parse
from everpost.message.part import Part


def bodies(raw: bytes, part: Part) -> object:
    if part.children:
        return [bodies(raw, child) for child in part.children]
    return raw[part.body_start : part.body_end]


def head(boundary: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n\n"


@pytest.mark.parametrize(
    "raw, expected",
    [
        (head(b"a") + b"pre\n--a\n\n1\n--a\n\n2\n--a--\npost", [b"1", b"2"]),
        # The first delimiter on the body's first line, white space after it, nothing after the last.
        (head(b"a") + b"--a \t\n\n1\n--a--", [b"1"]),
        # No closing delimiter.
        (head(b"a") + b"--a\n\n1\n--a\n\n2\n", [b"1", b"2\n"]),
        # A part without an empty line has only a header.
        (head(b"a") + b"--a\nX: 1\n--a--\n", [b""]),
        # Two delimiters in a row, and an empty part.
        (head(b"a") + b"--a\n--a\n\n\n--a--\n", [b""]),
        # What follows the closing delimiter is not looked at.
        (head(b"a") + b"--a\n\n1\n--a--\n--a\n\n2\n--a--\n", [b"1"]),
        # A boundary that begins as another does, and one that looks like the end of another.
        (head(b"a") + b"--a\n" + head(b"ab") + b"--ab\n\n1\n--ab--\n--a--\n", [[b"1"]]),
        (head(b"a") + b"--a\n" + head(b"a--b") + b"--a--b\n\n1\n--a--b--\n--a\n\n2\n--a--\n", [[b"1"], b"2"]),
        # The inner one has no closing delimiter: the outer one's ends it.
        (head(b"a") + b"--a\n" + head(b"b") + b"--b\n\n1\n--a\n\n2\n--a--\n", [[b"1"], b"2"]),
        # Both have the same boundary: all belongs to the outer one.
        (head(b"a") + b"--a\n" + head(b"a") + b"--a\n\n1\n--a--\n--a--\n", [[b""], b"1"]),
        (head(b"caf\xe9") + b"--caf\xe9\n\n1\n--caf\xe9--\n", [b"1"]),
        (head(b"caf\xc3\xa9") + b"--caf\xc3\xa9\n\n1\n--caf\xc3\xa9--\n", [b"1"]),
        (head(b'"a b"') + b"--a b\n\n1\n--a b--\n", [b"1"]),
        (head(b'"a') + b"--a\n\n1\n--a--\n", [b"1"]),
        (head(b"a (comment)") + b"--a\n\n1\n--a--\n", [b"1"]),
        (head(b"a; charset=x") + b"--a\n\n1\n\x00\n--a--\n", [b"1\n\x00"]),
        # Bare CR ends no line.
        (head(b"a") + b"--a\n\n1\r--a\r\n2\n--a--\n", [b"1\r--a\r\n2"]),
    ],
)
def test_odd_delimiters(raw: bytes, expected: object) -> None:
    assert bodies(raw, parse(raw).root) == expected
    if b"\r" not in raw:
        crlf = raw.replace(b"\n", b"\r\n")
        assert bodies(crlf, parse(crlf).root) == with_crlf(expected)


def with_crlf(expected: object) -> object:
    if isinstance(expected, list):
        return [with_crlf(each) for each in expected]
    assert isinstance(expected, bytes)
    return expected.replace(b"\n", b"\r\n")


def test_mixed_line_ends() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=a\r\n\n--a\r\n\r\n1\n--a\n\r\n2\r\n--a--"
    assert bodies(raw, parse(raw).root) == [b"1", b"2"]
