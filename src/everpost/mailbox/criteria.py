"""What to look for in a folder, as a tree of values: the meaning of IMAP's SEARCH keys (RFC 9051 section 6.4.4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

Ranges = tuple[tuple[int, int], ...]
"""Both ends included, in any order; LAST stands for the largest number in use ("*")."""

LAST = 0


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts; every message if there are none."""

    parts: tuple["Criterion", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts; no message if there are none."""

    parts: tuple["Criterion", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Those that the part does not match."""

    part: "Criterion"


@dataclass(frozen=True, slots=True)
class Flag:
    """With this flag or keyword, by its IMAP name such as "\\Seen" or "$Junk", compared without regard to case."""

    name: str


@dataclass(frozen=True, slots=True)
class Recent:
    """\\Recent in this session."""


@dataclass(frozen=True, slots=True)
class Uids:
    """Messages with these UIDs."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """Messages with these sequence numbers, as the session knows them."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Before:
    """Dated before the day; `sent` for the Date field, else the internal date. Time and zone are left out of it."""

    day: date
    sent: bool = False


@dataclass(frozen=True, slots=True)
class On:
    """Dated on the day; see Before."""

    day: date
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Since:
    """Dated on the day or later; see Before."""

    day: date
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """With a header field of that name whose decoded value has `text` in it; "" for any value."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """With `text` in the decoded body, or in header or body. Case is no difference."""

    text: str
    body_only: bool = False


@dataclass(frozen=True, slots=True)
class Larger:
    """Of more bytes than this."""

    size: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """Of fewer bytes than this."""

    size: int


@dataclass(frozen=True, slots=True)
class ModSeqAtLeast:
    """Changed at this modification sequence or later (RFC 7162 section 3.1.5)."""

    modseq: int


@dataclass(frozen=True, slots=True)
class Older:
    """Internal date at least so many seconds ago (RFC 5032)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Younger:
    """Internal date at most so many seconds ago (RFC 5032)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Saved:
    """Put into its folder on the day `since` or later and, if given, not after the day `last` (RFC 8514)."""

    since: date
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """With this content; copies of a message have the same."""

    content_id: int


Criterion = (
    All
    | And
    | Or
    | Not
    | Flag
    | Recent
    | Uids
    | Sequence
    | Before
    | On
    | Since
    | Header
    | Text
    | Larger
    | Smaller
    | ModSeqAtLeast
    | Older
    | Younger
    | Saved
    | Content
)


def spans(ranges: Ranges, largest: int) -> list[tuple[int, int]]:
    """The ranges ascending, each (low, high), none touching another, with LAST resolved to `largest`.

    `largest` is 0 if there are no numbers in use: then LAST is none of them.
    """
    found = sorted((low, high) if low <= high else (high, low) for low, high in _resolved(ranges, largest))
    merged: list[tuple[int, int]] = []
    for low, high in found:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _resolved(ranges: Ranges, largest: int) -> Iterable[tuple[int, int]]:
    for low, high in ranges:
        if largest or (LAST not in (low, high)):
            yield low or largest, high or largest
