"""Encoded words in header fields (RFC 2047), and raw UTF-8 (RFC 6532)."""

import binascii
import re

from everpost.message.charsets import to_unicode

__all__ = ["decode", "encode", "to_unicode"]

RFCS = (2047, 2231, 6532)

# White space inside is wrong, and common.
_WORD = re.compile(rb"=\?([!-)+-<>@-~*]{1,60})\?([BbQq])\?([^?\x00]*+)\?=")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]++")
_UNSAFE = re.compile(r"[\r\n\x00]++")

# Read as UTF-8, or what is not that as the superset of Latin-1.
_UNDECLARED = "us-ascii"

# RFC 2047 section 2: an encoded word is at most 75 characters long.
_WORD_BYTES = 45


def decode(value: bytes) -> str:
    """A raw unstructured value as people should see it. Never raises."""
    if b"=?" not in value:
        return to_unicode(value, _UNDECLARED)
    pieces: list[tuple[str, list[bytes]]] = []
    place = 0
    for found in _WORD.finditer(value):
        between = value[place : found.start()]
        # RFC 2047 section 6.2: white space between two encoded words is not shown.
        if between and not (place and between.isspace()):
            pieces.append((_UNDECLARED, [between]))
            adjacent = False
        else:
            adjacent = bool(place)
        charset = found.group(1).decode("ascii").partition("*")[0].lower()
        data = _decode_word(found.group(2), found.group(3))
        # A multi-byte character cut between two words of the same charset: common, though wrong.
        if adjacent and pieces[-1][0] == charset:
            pieces[-1][1].append(data)
        else:
            pieces.append((charset, [data]))
        place = found.end()
    pieces.append((_UNDECLARED, [value[place:]]))
    return "".join(to_unicode(b"".join(data), charset) for charset, data in pieces)


def _decode_word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Bb":
        text = _NOT_BASE64.sub(b"", text)
        # One character alone past a whole group holds not even a byte.
        text = text[: len(text) - (len(text) % 4 == 1)]
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    return _HEX.sub(lambda found: bytes((int(found.group(1), 16),)), text.replace(b"_", b" "))


def encode(text: str) -> str:
    """Text for an unstructured field: as it is if it is ASCII, else encoded words joined by folds.

    CR, LF and NUL become spaces, so nothing can be injected.
    """
    text = _UNSAFE.sub(" ", text)
    if text.isascii() and "=?" not in text:
        return text
    words: list[bytes] = []
    chunk = b""
    for char in text:
        piece = char.encode("utf-8", "replace")
        if len(chunk) + len(piece) > _WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += piece
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?B?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in words)
