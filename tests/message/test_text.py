"""Readable text of parts."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.message.parse import parse
from everpost.message.text import content, embedded_headers, first_text, from_base64, leaves, part_text
from tests.corpus import crlf


def only(raw: bytes) -> str:
    return part_text(raw, parse(raw).root)


def test_encodings_and_charsets() -> None:
    head = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
    assert only(head + b"quoted-printable\r\n\r\ngr=FCn=\r\n!") == "grün!"
    assert only(head + b"base64\r\n\r\nZ3L8\r\nbg==\r\n") == "grün"
    assert only(head + b"8bit\r\n\r\ngr\xfcn") == "grün"
    assert only(b"\r\n" + "grün".encode()) == "grün"
    assert only(b"Content-Type: text/plain; charset='utf-8'\r\n\r\n" + "grün".encode()) == "grün"
    assert only(b"Content-Type: image/png\r\n\r\nxx") == ""


def test_first_text_prefers_plain_text_that_is_no_attachment() -> None:
    raw = crlf(
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n\n<p>\n--a\n"
        b"Content-Disposition: attachment\n\nattached\n--a\nContent-Type: message/rfc822\n\n"
        b"X-Inner: 1\n\ninside\n--a--\n"
    )
    root = parse(raw).root
    assert first_text(raw, root) == "inside"
    assert [leaf.subtype for leaf in leaves(root)] == ["html", "plain", "plain"]
    assert any(b"X-Inner" in header for header in embedded_headers(raw, root))
    html = b"Content-Type: text/html\r\n\r\n<p>"
    assert first_text(html, parse(html).root) == "<p>"
    assert first_text(b"Content-Type: image/png\r\n\r\n", parse(b"Content-Type: image/png\r\n\r\n").root) == ""


@pytest.mark.parametrize("encode", [lambda data: data, base64.encodebytes], ids=["8bit", "base64"])
def test_what_is_read_of_a_part_is_bounded_and_cut_between_characters(encode: Callable[[bytes], bytes]) -> None:
    text = "äß€😀" * 30
    encoding = b"8bit" if encode(b"a") == b"a" else b"base64"
    raw = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + encode(text.encode())
    root = parse(raw).root
    assert part_text(raw, root) == text
    for limit in range(root.size):
        found = part_text(raw, root, limit)
        assert text.startswith(found) and len(found.encode()) <= limit


@given(st.binary(max_size=200))
def test_encodings_round_trip(data: bytes) -> None:
    assert from_base64(base64.encodebytes(data)) == data
    assert from_base64(base64.b64encode(data).rstrip(b"=")) == data
    raw = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n".join(b"=%02X" % byte for byte in data)
    assert content(raw, parse(raw).root) == data


@given(st.binary(max_size=100), st.sampled_from([b"base64", b"quoted-printable", b"x-uuencode", b"7bit"]))
def test_any_content_is_survived(data: bytes, encoding: bytes) -> None:
    raw = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + data
    only(raw).encode()
