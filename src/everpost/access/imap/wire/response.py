"""Responses as bytes: strings, flags, sets of numbers, untagged and tagged lines."""

import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from everpost.access.imap.wire import names

RFCS = (3501, 9051, 4315, 4731)

CRLF = b"\r\n"
NIL = b"NIL"

# What an atom can be, in any place where an astring is allowed; NIL would be taken for no string.
_ATOM = re.compile(rb"[A-Za-z0-9!#$&'+,./:;<=>?@^_`|}~-]+")
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_QUOTABLE = re.compile(rb"[ -~]*")
_UTF8_QUOTABLE = re.compile(rb"[^\x00-\x1f\x7f]*")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Longer ones are sent as literals, so that no client needs long lines.
_MAX_QUOTED = 1024


def literal(data: bytes) -> bytes:
    """A literal."""
    return b"{%d}\r\n%b" % (len(data), data)


def string(value: bytes | None, *, utf8: bool = False) -> bytes:
    """A nstring: NIL, quoted where that is possible, else a literal."""
    if value is None:
        return NIL
    if len(value) <= _MAX_QUOTED:
        if _PLAIN.fullmatch(value):
            return b'"%b"' % value
        if (_UTF8_QUOTABLE if utf8 else _QUOTABLE).fullmatch(value):
            return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return literal(value)


def astring(value: bytes) -> bytes:
    """An atom where that is possible, else a string."""
    return value if _ATOM.fullmatch(value) and value.upper() != NIL else string(value)


@lru_cache(maxsize=4096)
def mailbox(name: str, *, utf8: bool) -> bytes:
    """A mailbox name."""
    wire = names.encode(name, utf8=utf8)
    return wire if _ATOM.fullmatch(wire) and wire.upper() != NIL else string(wire, utf8=utf8)


# How system flags are ordered; keywords follow.
_FLAG_ORDER = {"\\Answered": 0, "\\Flagged": 1, "\\Deleted": 2, "\\Seen": 3, "\\Draft": 4, "\\Recent": 5, "\\*": 9}


@lru_cache(maxsize=4096)
def flags(names_: frozenset[str]) -> bytes:
    """A list of flags."""
    ordered = sorted(names_, key=lambda name: (_FLAG_ORDER.get(name, 8), name))
    return ("(" + " ".join(ordered) + ")").encode()


def numbers(values: Sequence[int]) -> bytes:
    """A set of ascending numbers, runs as ranges (RFC 9051 section 9, sequence-set)."""
    pieces: list[str] = []
    start = previous = -2
    for value in values:
        if value == previous + 1:
            previous = value
            continue
        if start > 0:
            pieces.append(str(start) if start == previous else f"{start}:{previous}")
        start = previous = value
    if start > 0:
        pieces.append(str(start) if start == previous else f"{start}:{previous}")
    return ",".join(pieces).encode()


def spans(ranges: Iterable[tuple[int, int]]) -> bytes:
    """A set from ascending ranges."""
    return b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in ranges)


def pairs(source: Sequence[int], target: Sequence[int]) -> tuple[bytes, bytes]:
    """Two sets whose numbers pair up in the order they are written (COPYUID, RFC 4315 section 3)."""
    order = sorted(range(len(source)), key=source.__getitem__)
    if all(target[a] < target[b] for a, b in pairwise(order)):
        return numbers([source[place] for place in order]), numbers([target[place] for place in order])
    return b",".join(b"%d" % uid for uid in source), b",".join(b"%d" % uid for uid in target)


@lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    year, month, day, *_ = time.gmtime(days * 86_400)
    return f"{day:2d}-{MONTHS[month - 1]}-{year:04d}".encode()


def date_time(unix_ms: int) -> bytes:
    """An INTERNALDATE, in UTC."""
    days, seconds = divmod(unix_ms // 1000, 86_400)
    minutes, seconds = divmod(seconds, 60)
    return b'"%b %02d:%02d:%02d +0000"' % (_day(days), minutes // 60, minutes % 60, seconds)


def untagged(*words: bytes) -> bytes:
    """`* ` and the words."""
    return b"* " + b" ".join(words) + CRLF


def status(tag: bytes, kind: bytes, text: str, code: bytes | None = None) -> bytes:
    """`a1 OK [CODE] text`."""
    said = text.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ") or b"."
    if code is None:
        return b"%b %b %b\r\n" % (tag, kind, said)
    return b"%b %b [%b] %b\r\n" % (tag, kind, code, said)


def listed(items: Iterable[bytes]) -> bytes:
    """A list in parentheses."""
    return b"(" + b" ".join(items) + b")"
