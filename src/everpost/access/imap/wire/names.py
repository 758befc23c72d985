"""Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3) and UTF-8 (RFC 9051 section 5.1)."""

import binascii
import re
from functools import lru_cache

from everpost.core.errors import Refused

RFCS = (3501, 9051)

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_DIRECT = re.compile(rb"[ -%'-~]*")
_NEEDS_SHIFT = re.compile(r"[^ -~]+")


class BadName(Refused):
    """Bytes that are no mailbox name."""


def decode(wire: bytes, *, utf8: bool) -> str:
    """The name. Raises BadName.

    Without `utf8` it is modified UTF-7; bytes above 127, which have no place in it, are read as UTF-8 then,
    as some clients send them.
    """
    try:
        if utf8 or not wire.isascii():
            return wire.decode()
        if _DIRECT.fullmatch(wire):
            return wire.decode("ascii")
        return _decode_utf7(wire)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise BadName("the mailbox name is not encoded as it should be") from error


def _decode_utf7(wire: bytes) -> str:
    pieces = []
    place = 0
    for found in _SHIFTED.finditer(wire):
        pieces.append(_direct(wire[place : found.start()]))
        code = found.group(1)
        pieces.append(_unshift(code) if code else "&")
        place = found.end()
    pieces.append(_direct(wire[place:]))
    name = "".join(pieces)
    # One name, one form: otherwise two spellings would name one mailbox.
    if encode_utf7(name) != wire:
        raise BadName("the mailbox name is not modified UTF-7 in its shortest form")
    return name


def _direct(piece: bytes) -> str:
    if b"&" in piece:
        raise BadName('"&" in the mailbox name begins no valid modified UTF-7')
    return piece.decode("ascii")


def _unshift(code: bytes) -> str:
    padded = code.replace(b",", b"/") + b"=" * (-len(code) % 4)
    return binascii.a2b_base64(padded).decode("utf-16-be")


def encode(name: str, *, utf8: bool) -> bytes:
    """The name's bytes, not yet quoted. Raises BadName for lone surrogates."""
    if utf8:
        return name.encode()
    return encode_utf7(name)


@lru_cache(maxsize=4096)
def encode_utf7(name: str) -> bytes:
    """Modified UTF-7."""
    return _NEEDS_SHIFT.sub(_shift, name.replace("&", "&-")).encode("ascii")


def _shift(found: re.Match[str]) -> str:
    code = binascii.b2a_base64(found.group().encode("utf-16-be", "surrogatepass"), newline=False)
    return "&" + code.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"
