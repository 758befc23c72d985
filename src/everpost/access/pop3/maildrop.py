"""A maildrop as one session sees it: numbers that stay, marks of deletion, unique ids. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from everpost.core.errors import Refused

RFCS = (1939,)

SLICE = 65_536


class NoMessage(Refused):
    """No such message, or it is marked as deleted."""


@dataclass(slots=True)
class Maildrop:
    """Messages are numbered from 1 in the order they had at login (RFC 1939 section 5)."""

    uid_validity: int
    messages: Sequence[tuple[int, int]]
    """UID and size in octets."""
    _deleted: set[int] = field(default_factory=set)

    @property
    def deleted(self) -> list[int]:
        """UIDs marked as deleted."""
        return [self.messages[number - 1][0] for number in sorted(self._deleted)]

    def total(self) -> tuple[int, int]:
        """How many messages are not marked as deleted, and their octets."""
        sizes = [size for number, (_, size) in enumerate(self.messages, 1) if number not in self._deleted]
        return len(sizes), sum(sizes)

    def message(self, number: int) -> tuple[int, int]:
        """UID and size. Raises NoMessage."""
        if not 1 <= number <= len(self.messages) or number in self._deleted:
            raise NoMessage("no such message")
        return self.messages[number - 1]

    def unique_id(self, uid: int) -> str:
        """What stays the same in all sessions (RFC 1939 section 7, UIDL)."""
        return f"{self.uid_validity}-{uid}"

    def delete(self, number: int) -> None:
        """Mark as deleted. Raises NoMessage."""
        self.message(number)
        self._deleted.add(number)

    def reset(self) -> None:
        """Take all marks away."""
        self._deleted.clear()

    def sizes(self) -> list[str]:
        """Lines of LIST."""
        return [f"{number} {size}" for number, _, size in self._listed()]

    def unique_ids(self) -> list[str]:
        """Lines of UIDL."""
        return [f"{number} {self.unique_id(uid)}" for number, uid, _ in self._listed()]

    def _listed(self) -> Iterator[tuple[int, int, int]]:
        for number, (uid, size) in enumerate(self.messages, 1):
            if number not in self._deleted:
                yield number, uid, size


def slices(raw: bytes) -> Iterator[bytes]:
    """A message in pieces that do not fill the memory when dots are doubled in them."""
    for start in range(0, len(raw), SLICE):
        yield raw[start : start + SLICE]


def top(raw: bytes, lines: int) -> Iterator[bytes]:
    """The header, the blank line and so many lines of the body, in pieces."""
    blank = 0 if raw.startswith(b"\r\n") else raw.find(b"\r\n\r\n") + 2
    if blank == 1:
        # Without a blank line all of it is header.
        yield from slices(raw)
        return
    start = blank + 2
    yield from slices(raw[:start])
    for piece in slices(raw[start:]):
        count = piece.count(b"\n")
        if count < lines:
            lines -= count
            yield piece
            continue
        # The last line is in this piece; only here lines are walked one by one.
        end = 0
        for _ in range(lines):
            end = piece.find(b"\n", end) + 1
        yield piece[:end]
        return
