"""Sets of sequence numbers or UIDs (RFC 9051 section 9, sequence-set)."""

import re
from dataclasses import dataclass

from everpost.access.imap.wire.tokens import MAX_32, Reader
from everpost.mailbox.criteria import LAST, Ranges

RFCS = (9051, 5182)

_SET = re.compile(rb"(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?(?:,(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?)*+")
NAME = "a set of numbers"


@dataclass(frozen=True, slots=True)
class NumberSet:
    """Ranges, or ("$") the result of the last SEARCH RETURN (SAVE)."""

    ranges: Ranges
    saved: bool = False


def number_set(reader: Reader) -> NumberSet:
    """A set."""
    if reader.skip(b"$"):
        return NumberSet((), saved=True)
    return NumberSet(ranges(reader))


def ranges(reader: Reader) -> Ranges:
    """A set that is written out."""
    start = reader.place
    found = []
    for piece in reader.match(_SET, NAME).group().split(b","):
        low, colon, high = piece.partition(b":")
        first = _number(low)
        last = _number(high) if colon else first
        if first > MAX_32 or last > MAX_32:
            reader.place = start
            reader.fail(f"numbers of at most {MAX_32}")
        found.append((first, last))
    return tuple(found)


def begins_set(reader: Reader) -> bool:
    """Whether a set that is written out comes next."""
    return _SET.match(reader.text, reader.place) is not None


def _number(text: bytes) -> int:
    return LAST if text == b"*" else int(text)
