"""The mailbox a session has selected: which messages a set of numbers means, and what was told of it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everpost.access.imap.outcome import ClientFault
from everpost.access.imap.wire import response
from everpost.access.imap.wire.grammar.flags import SYSTEM
from everpost.access.imap.wire.grammar.sets import NumberSet
from everpost.mailbox.criteria import LAST, Ranges, spans
from everpost.mailbox.view import View

if TYPE_CHECKING:
    from everpost.access.imap.contexts import Context

RFCS = (9051, 5182)

# FLAGS names so many keywords at most; a client can use the others all the same.
MAX_KEYWORDS_TOLD = 500


@dataclass(frozen=True, slots=True)
class Chosen:
    """Messages that a command is about: sequence numbers and UIDs pair up, both ascending."""

    sequences: list[int]
    uids: list[int]


@dataclass(slots=True, eq=False)
class Selected:
    """Between SELECT and CLOSE."""

    view: View
    saved: list[int] = field(default_factory=list)
    """UIDs that "$" stands for, ascending."""
    contexts: dict[str, "Context"] = field(default_factory=dict)
    """Searches that are kept up to date, by the tags of their commands."""
    keywords: set[str] = field(default_factory=set)
    """Keywords the client knows of, in lower case."""
    _told: set[str] = field(default_factory=set)
    """Stored forms of keywords whose every word is in `keywords`."""

    def choose(self, wanted: NumberSet, *, uid: bool) -> Chosen:
        """The messages of a set. Unknown UIDs are passed over.

        Raises ClientFault for sequence numbers that do not exist (RFC 9051 section 9, seq-number).
        """
        if wanted.saved:
            return self.by_uid((each, each) for each in self.saved)
        if uid:
            return self.by_uid(spans(wanted.ranges, self.view.uids[-1] if self.view.uids else 0))
        self.check_sequences(wanted.ranges)
        sequences: list[int] = []
        uids: list[int] = []
        for low, high in spans(wanted.ranges, len(self.view.uids)):
            sequences.extend(range(low, high + 1))
            uids.extend(self.view.uids[low - 1 : high])
        return Chosen(sequences, uids)

    def check_sequences(self, ranges: Ranges) -> None:
        """Raises ClientFault if there is a number without a message.

        Unlike RFC 9051 section 9 (seq-number): "1:*" of an empty mailbox is no fault, it means no message. Programs
        ask so without looking at EXISTS.
        """
        count = len(self.view.uids)
        for pair in ranges:
            if not count and LAST in pair:
                continue
            for number in pair:
                if number > count:
                    raise ClientFault(f"there is no message {number or '*'}")

    def by_uid(self, ranges: Iterable[tuple[int, int]]) -> Chosen:
        """The messages with UIDs in these ranges, which are ascending."""
        known = self.view.uids
        sequences: list[int] = []
        uids: list[int] = []
        for low, high in ranges:
            first = bisect_left(known, low)
            after = bisect_right(known, high, first)
            sequences.extend(range(first + 1, after + 1))
            uids.extend(known[first:after])
        return Chosen(sequences, uids)

    # Keywords.

    def new_keywords(self, stored: Iterable[str]) -> bool:
        """Learn keywords in their stored form (joined by spaces); whether the client does not know one."""
        fresh = set(stored) - self._told
        if not fresh:
            return False
        self._told |= fresh
        return self.new_flags(name for form in fresh for name in form.split(" ") if name)

    def new_flags(self, names: Iterable[str]) -> bool:
        """The same for flags one by one."""
        fresh = {name.lower() for name in names if not name.startswith("\\")} - self.keywords
        self.keywords |= fresh
        return bool(fresh) and len(self.keywords) - len(fresh) < MAX_KEYWORDS_TOLD

    def spellings(self) -> list[str]:
        """The keywords in use as they are written, no more than FLAGS should name."""
        found: dict[str, str] = {}
        for form in {row.keywords for row in self.view.rows(self.view.uids)}:
            for name in form.split(" ") if form else ():
                found.setdefault(name.lower(), name)
        self.new_flags(found)
        return sorted(found.values())[:MAX_KEYWORDS_TOLD]

    def flags_line(self) -> bytes:
        """`* FLAGS (...)`."""
        return response.untagged(b"FLAGS", response.flags(frozenset((*SYSTEM, *self.spellings()))))
