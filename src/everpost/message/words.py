"""Encoded words in header fields (RFC 2047), and raw UTF-8 (RFC 6532)."""

import base64
import binascii
import codecs
import re
from functools import lru_cache

RFCS = (2047, 2231, 6532)

_WORD = re.compile(rb"=\?([!-)+-<>@-~*]{1,60})\?([BbQq])\?([^?\x00-\x20]*)\?=")
_BETWEEN = re.compile(rb"\?=[ \t\r\n]+(?==\?[!-<>@-~]{1,60}\?[BbQq]\?[^?\x00-\x20]*\?=)")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")

# Codecs of Python that no mail means; decoding Punycode takes time that grows with the square of the length.
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw-unicode-escape", "unicode-escape", "undefined"})

# RFC 2047 section 2: an encoded word is at most 75 characters long.
_WORD_BYTES = 45


def to_unicode(data: bytes, charset: str) -> str:
    """Bytes of a named charset as text; unknown charsets and broken bytes become something readable."""
    name = charset.partition("*")[0] or "ascii"
    try:
        if codecs.lookup(name).name not in _NO_CHARSETS:
            return data.decode(name)
    except (LookupError, UnicodeError, ValueError):
        pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def decode(value: bytes) -> str:
    """A raw unstructured value as people should see it. Never raises."""
    if b"=?" not in value:
        return to_unicode(value, "utf-8")
    # Text, then charset, encoding and data of a word, again and again, and text.
    split = _WORD.split(_BETWEEN.sub(b"?=", value))
    pieces: list[str] = []
    charset = ""
    adjacent: list[bytes] = []
    for at in range(0, len(split) - 1, 4):
        text, name = split[at], _charset(split[at + 1])
        # A multi-byte character cut between two words of the same charset: common, though wrong.
        if adjacent and (text or name != charset):
            pieces.append(to_unicode(b"".join(adjacent), charset))
            adjacent = []
        if text:
            pieces.append(to_unicode(text, "utf-8"))
        charset = name
        adjacent.append(_decode_word(split[at + 2], split[at + 3]))
    pieces.append(to_unicode(b"".join(adjacent), charset) if adjacent else "")
    pieces.append(to_unicode(split[-1], "utf-8"))
    return "".join(pieces)


@lru_cache(maxsize=256)
def _charset(name: bytes) -> str:
    return name.decode("ascii").partition("*")[0].lower()


def _decode_word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Bb":
        try:
            return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return text
    if b"=" not in text:
        return text.replace(b"_", b" ")
    return _HEX.sub(lambda found: bytes((int(found.group(1), 16),)), text.replace(b"_", b" "))


def encode(text: str) -> str:
    """Text for an unstructured field: as it is if it is ASCII, else encoded words joined by folds.

    CR, LF and NUL become spaces, so nothing can be injected.
    """
    text = re.sub(r"[\r\n\x00]+", " ", text)
    if text.isascii() and "=?" not in text:
        return text
    words: list[str] = []
    chunk = b""
    for char in text:
        piece = char.encode("utf-8", "replace")
        if len(chunk) + len(piece) > _WORD_BYTES:
            words.append(base64.b64encode(chunk).decode())
            chunk = b""
        chunk += piece
    words.append(base64.b64encode(chunk).decode())
    return "\r\n ".join(f"=?utf-8?B?{word}?=" for word in words)
