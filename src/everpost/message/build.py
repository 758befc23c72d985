"""Putting messages together from text: header lines that cannot be broken, bodies, multiparts."""

import base64
import re
import textwrap
from collections.abc import Sequence

from everpost.message.words import encode

RFCS = (2045, 2046, 5322)

# Characters; as UTF-8 still fewer bytes than a line may have.
_LONG = 200

_NAME = re.compile(r"[!-9;-~]+")


def field(name: str, value: str) -> bytes:
    """One header field; `value` is ASCII as it is, or text that becomes encoded words."""
    assert _NAME.fullmatch(name)
    return f"{name}: {encode(value)}\r\n".encode()


def raw_field(name: str, value: str, charset: str = "utf-8") -> bytes:
    """One header field whose value goes as it is, line breaks as spaces, folded where it is long (RFC 5322
    section 2.1.1). What `charset` (UTF-8 by RFC 6532, or ASCII) cannot say becomes a question mark.
    """
    assert _NAME.fullmatch(name)
    text = _one_line(value)
    if len(text) > _LONG:
        text = "\r\n ".join(textwrap.wrap(text, _LONG))
    return f"{name}: {text}\r\n".encode(charset, "replace")


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n\x00]+", " ", text)


def text_part(text: str, subtype: str = "plain") -> bytes:
    """A text entity with its header: 7-bit if it can be, else base64 of UTF-8."""
    body = text.replace("\r\n", "\n").replace("\r", "\n")
    if not body.endswith("\n"):
        body += "\n"
    if body.isascii() and max(map(len, body.split("\n"))) < 990 and "\0" not in body:
        head = f"Content-Type: text/{subtype}; charset=us-ascii\r\n\r\n"
        return (head + body.replace("\n", "\r\n")).encode()
    data = base64.encodebytes(body.encode("utf-8", "replace").replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n")
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + data


def multipart(subtype: str, boundary: str, parts: Sequence[bytes], parameters: str = "") -> bytes:
    """A multipart entity with its Content-Type; each part is an entity with its own header.

    `boundary` must occur in none of the parts; `parameters` begin with a semicolon.
    """
    mark = b"--" + boundary.encode()
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"{parameters}\r\n'
    if not all(map(bytes.isascii, parts)):
        # RFC 2045 section 6.4: what holds 8-bit parts says so itself.
        head += "Content-Transfer-Encoding: 8bit\r\n"
    body = b"".join(mark + b"\r\n" + part + (b"" if part.endswith(b"\r\n") else b"\r\n") for part in parts)
    return head.encode() + b"\r\n" + body + mark + b"--\r\n"
