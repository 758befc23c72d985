"""Putting messages in an order people ask for (RFC 5256, RFC 5957)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from everpost.message.summary import Summary
from everpost.store.sql.messages import MessageRow

if TYPE_CHECKING:
    from everpost.mailbox.view import View

RFCS = (5256, 5957)


class SortBy(Enum):
    """What an order goes by; the value is IMAP's word."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"


@dataclass(frozen=True, slots=True)
class SortKey:
    """One criterion of an order."""

    by: SortBy
    reverse: bool = False


def sent(row: MessageRow, summary: Summary) -> int:
    """The sent date in unix milliseconds: the Date field, else the internal date (RFC 5256 section 2.2)."""
    return row.internal_at if summary.sent_ms is None else summary.sent_ms


Value = Callable[[MessageRow, Summary], Any]

# Text goes by i;unicode-casemap (RFC 5051), for which case folding of the decoded text stands in.
_VALUES: dict[SortBy, Value] = {
    SortBy.ARRIVAL: lambda row, summary: row.internal_at,
    SortBy.SIZE: lambda row, summary: row.size,
    SortBy.DATE: sent,
    SortBy.SUBJECT: lambda row, summary: summary.base_subject.casefold(),
    SortBy.FROM: lambda row, summary: summary.from_key.casefold(),
    SortBy.TO: lambda row, summary: summary.to_key.casefold(),
    SortBy.CC: lambda row, summary: summary.cc_key.casefold(),
    SortBy.DISPLAYFROM: lambda row, summary: summary.from_name.casefold(),
    SortBy.DISPLAYTO: lambda row, summary: summary.to_name.casefold(),
}
_WITHOUT_SUMMARY = frozenset({SortBy.ARRIVAL, SortBy.SIZE})

# Stands in for a message that is being removed while it is sorted.
NOTHING = Summary(None, None, "", "", False, "", "", "", "", "", "", "", "", "", (), "", False)


async def sort(view: "View", uids: Sequence[int], keys: Sequence[SortKey]) -> list[int]:
    """These messages in order; what no key tells apart stays in the order of UIDs. Raises StoreUnavailable."""
    summaries: dict[int, Summary] = {}
    if any(key.by not in _WITHOUT_SUMMARY for key in keys):
        summaries = await view.summaries(uids)
    found = [(row, summaries.get(row.uid, NOTHING)) for row in view.rows(sorted(uids))]
    # From the last key to the first: sorting is stable, also in reverse (RFC 5256 section 3: REVERSE only turns
    # the comparison of its own key).
    for key in reversed(keys):
        value = _VALUES[key.by]
        found.sort(key=lambda each: value(*each), reverse=key.reverse)
    return [row.uid for row, _ in found]
