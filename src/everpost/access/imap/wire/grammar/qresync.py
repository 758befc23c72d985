"""What SELECT (QRESYNC ...) says a client knows (RFC 7162 section 3.2.5)."""

from dataclasses import dataclass

from everpost.access.imap.wire.grammar.sets import ranges
from everpost.access.imap.wire.tokens import MAX_63, Reader
from everpost.mailbox.criteria import LAST, Ranges

RFCS = (7162,)

# More pairs of a sequence number and a UID are not looked at.
MAX_PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class Resync:
    """The whole parameter."""

    uid_validity: int
    modseq: int
    known: Ranges | None = None
    """UIDs the client knows of; None for all."""
    pairs: tuple[tuple[int, int], ...] = ()
    """Sequence numbers with the UIDs they had."""


def resync(reader: Reader) -> Resync:
    """The arguments of the parameter, with the space before them."""
    reader.space()
    reader.expect(b"(", "a list in parentheses")
    uid_validity = reader.number(name="a UIDVALIDITY")
    reader.space()
    modseq = reader.number(MAX_63, "a modification sequence")
    known = None
    pairs: tuple[tuple[int, int], ...] = ()
    space = reader.skip(b" ")
    if space and not reader.at(b"("):
        known = _plain(reader)
        space = reader.skip(b" ")
    if space:
        pairs = _pairs(reader)
    reader.expect(b")", "')'")
    return Resync(uid_validity, modseq, known, pairs)


def _plain(reader: Reader) -> Ranges:
    start = reader.place
    found = ranges(reader)
    if any(LAST in pair for pair in found):
        reader.place = start
        reader.fail("a set of numbers without '*'")
    return tuple((min(pair), max(pair)) for pair in found)


def _pairs(reader: Reader) -> tuple[tuple[int, int], ...]:
    start = reader.place
    reader.expect(b"(")
    sequences = _plain(reader)
    reader.space()
    uids = _plain(reader)
    reader.expect(b")", "')'")
    count = _count(sequences)
    if count != _count(uids):
        reader.place = start
        reader.fail("as many sequence numbers as UIDs")
    if count > MAX_PAIRS:
        return ()
    return tuple(zip(_numbers(sequences), _numbers(uids), strict=True))


def _count(found: Ranges) -> int:
    return sum(high - low + 1 for low, high in found)


def _numbers(found: Ranges) -> list[int]:
    return [number for low, high in found for number in range(low, high + 1)]
