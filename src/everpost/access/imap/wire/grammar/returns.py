"""What a search is to tell of its result: RETURN (...) of SEARCH, SORT and ESEARCH."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from everpost.access.imap.wire.tokens import MAX_32, Reader

RFCS = (4731, 5182, 5267, 6203, 9051, 9394)

T = TypeVar("T")

OPTIONS = {name: name for name in ("MIN", "MAX", "ALL", "COUNT", "SAVE", "PARTIAL", "CONTEXT", "UPDATE", "RELEVANCY")}

_FROM_FIRST = re.compile(rb"([1-9]\d{0,9}):([1-9]\d{0,9})")
_FROM_LAST = re.compile(rb"-([1-9]\d{0,9}):-([1-9]\d{0,9})")


@dataclass(frozen=True, slots=True)
class Window:
    """Some results by their places: 1 is the first; with `from_last` 1 is the last (RFC 9394 section 3.1)."""

    label: bytes
    """As the client wrote it."""
    low: int
    high: int
    from_last: bool

    def of(self, results: Sequence[T]) -> Sequence[T]:
        """Those of the results that are in the window, in their order."""
        if not self.from_last:
            return results[self.low - 1 : self.high]
        count = len(results)
        return results[max(count - self.high, 0) : max(count - self.low + 1, 0)]


@dataclass(frozen=True, slots=True)
class Returned:
    """The options; `window` is that of PARTIAL."""

    options: frozenset[str]
    window: Window | None = None


def window(reader: Reader) -> Window:
    """A range such as 1:100 or -1:-100."""
    start = reader.place
    from_last = reader.at(b"-")
    found = reader.match(_FROM_LAST if from_last else _FROM_FIRST, "a range such as 1:100 or -1:-100")
    low, high = sorted(map(int, found.groups()))
    if high > MAX_32:
        reader.place = start
        reader.fail(f"numbers of at most {MAX_32}")
    return Window(found.group(), low, high, from_last)


def returned(reader: Reader) -> Returned | None:
    """RETURN and its list, with the space after it; None if there is none here."""
    if reader.text[reader.place : reader.place + 7].upper() != b"RETURN ":
        return None
    reader.place += 7
    start = reader.place
    found: set[str] = set()
    asked: Window | None = None
    for _ in reader.items():
        option = reader.choice(OPTIONS, "a result option that this server knows")
        if option == "PARTIAL":
            if asked is not None:
                reader.fail("one PARTIAL")
            reader.space()
            asked = window(reader)
        found.add(option)
    if asked is not None and "ALL" in found:
        # RFC 9394 section 3.1
        reader.place = start
        reader.fail("either PARTIAL or ALL")
    reader.space()
    return Returned(frozenset(found), asked)
