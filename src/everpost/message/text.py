"""The readable text of parts, for searching and showing: decoded, bounded."""

import binascii
import re
from collections.abc import Iterator

from everpost.message.part import Part
from everpost.message.words import to_unicode

# Of one part so much is decoded at the most (bytes).
MAX_BYTES = 8 * 1024 * 1024

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]++")


def content(raw: bytes, part: Part, limit: int = MAX_BYTES) -> bytes:
    """The part's body with its transfer encoding undone (RFC 2045 section 6), of its first `limit` bytes.

    Never raises.
    """
    data = raw[part.body_start : min(part.body_end, part.body_start + limit)]
    match part.encoding:
        case "base64":
            return from_base64(data)
        case "quoted-printable":
            return binascii.a2b_qp(data)
        case _:
            return data


def from_base64(data: bytes) -> bytes:
    """What can be decoded of it; everything that is not base64 is passed over."""
    data = _NOT_BASE64.sub(b"", data)
    return binascii.a2b_base64(data[: len(data) // 4 * 4]) + _tail(data[len(data) // 4 * 4 :])


def _tail(rest: bytes) -> bytes:
    return binascii.a2b_base64(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""


def part_text(raw: bytes, part: Part, limit: int = MAX_BYTES) -> str:
    """A text part, or what its first `limit` bytes hold, as text; empty for other types."""
    if part.type != "text":
        return ""
    data = content(raw, part, limit)
    if part.size > limit:
        data = _whole(data)
    return to_unicode(data, (part.param("charset") or "utf-8").strip("'\" "))


def _whole(data: bytes) -> bytes:
    """Without the beginning of a UTF-8 character at the end, where the text was cut."""
    for back in range(1, min(len(data), 3) + 1):
        if data[-back] >= 0xC0:
            return data[:-back]
        if data[-back] < 0x80:
            break
    return data


def leaves(part: Part) -> Iterator[Part]:
    """All parts without children, those of embedded messages included."""
    if part.children:
        for child in part.children:
            yield from leaves(child)
    else:
        yield part


def embedded_headers(raw: bytes, part: Part) -> Iterator[bytes]:
    """The MIME and message headers below the top-level one."""
    for child in part.children:
        yield raw[child.header_start : child.body_start]
        yield from embedded_headers(raw, child)


def first_part(part: Part) -> Part | None:
    """The part people read first: the first plain text, else the first text of any kind."""
    other = None
    for leaf in leaves(part):
        if leaf.type == "text" and leaf.disposition != "attachment":
            if leaf.subtype == "plain":
                return leaf
            other = other or leaf
    return other


def first_text(raw: bytes, part: Part) -> str:
    """The text of that part; empty if there is none."""
    found = first_part(part)
    return part_text(raw, found) if found else ""
