"""Tells what a search found: SEARCH, SORT and ESEARCH responses, and what "$" stands for afterwards."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from everpost.access.imap.selected import Selected
from everpost.access.imap.wire import response
from everpost.access.imap.wire.grammar.search import Search
from everpost.mailbox.view import View

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 4731, 5182, 5267, 6203, 7162, 9051, 9394)

# These say nothing of the result by themselves.
_SILENT = frozenset({"SAVE", "UPDATE", "CONTEXT"})

# RFC 6203 section 4: FUZZY matches exactly here, so no match is less relevant than another.
RELEVANCY = 100


def keep(selected: Selected, request: Search, uids: Sequence[int]) -> bool:
    """Let "$" stand for the result if SAVE is asked for; whether there is nothing to be told then."""
    if request.returned is None or "SAVE" not in request.returned:
        return False
    selected.saved = sorted(_saved(request, uids))
    return request.returned == {"SAVE"}


def _saved(request: Search, uids: Sequence[int]) -> set[int] | Sequence[int]:
    """RFC 5182 section 2.4, RFC 9394 section 3.2: MIN, MAX and PARTIAL save only what they tell."""
    returned = request.returned or frozenset()
    if not returned & {"MIN", "MAX", "PARTIAL"} or returned & {"ALL", "COUNT"} or not uids:
        return uids
    saved = set(request.window.of(uids)) if request.window is not None else set()
    if "MIN" in returned:
        saved.add(uids[0])
    if "MAX" in returned:
        saved.add(uids[-1])
    return saved


def sequences(view: View, uids: Sequence[int]) -> list[int]:
    """The sequence numbers of these messages, in the same order."""
    known = view.uids
    if len(uids) == len(known) and list(uids) == known:
        return list(range(1, len(known) + 1))
    return places(known, uids)


def places(known: Sequence[int], uids: Sequence[int]) -> list[int]:
    """The same where the sequence numbers are those of other UIDs than the view's; all of them are known."""
    return [bisect_left(known, uid) + 1 for uid in uids]


def plain(session: "Session", view: View, kind: bytes, request: Search, uids: Sequence[int], *, uid: bool) -> None:
    """`* SEARCH 1 2` or `* SORT 2 1`."""
    words = [b"%d" % number for number in (uids if uid else sequences(view, uids))]
    if request.modseq and uids:
        words.append(b"(MODSEQ %d)" % _highest(view, uids))
    session.untagged(kind, *words)


def correlator(tag: str, *more: bytes) -> bytes:
    """What says to which command an ESEARCH response belongs."""
    return response.listed((b"TAG " + response.string(tag.encode()), *more))


def extended(
    session: "Session", view: View, belongs: bytes, request: Search, uids: Sequence[int], *, uid: bool
) -> None:
    """`* ESEARCH (TAG "a") UID ALL 1:3`; `uids` in the order in which they are to be told."""
    returned = (request.returned or frozenset()) - _SILENT or frozenset({"ALL"})
    numbers = uids if uid else sequences(view, uids)
    words = [belongs]
    if uid:
        words.append(b"UID")
    if numbers:
        if "MIN" in returned:
            words.append(b"MIN %d" % numbers[0])
        if "MAX" in returned:
            words.append(b"MAX %d" % numbers[-1])
        if "ALL" in returned:
            words.append(b"ALL " + response.numbers(numbers))
    if request.window is not None:
        shown = request.window.of(numbers)
        words.append(b"PARTIAL (%b %b)" % (request.window.label, response.numbers(shown) or response.NIL))
    if "COUNT" in returned:
        words.append(b"COUNT %d" % len(numbers))
    if "RELEVANCY" in returned:
        told = numbers if request.window is None else request.window.of(numbers)
        words.append(b"RELEVANCY " + response.listed([b"%d" % RELEVANCY] * len(told)))
    if request.modseq and uids:
        # RFC 7162 section 3.1.6: of the messages that are told; COUNT and ALL tell of all.
        told = uids if returned & {"ALL", "COUNT"} else list(_saved(request, uids))
        if told:
            words.append(b"MODSEQ %d" % _highest(view, told))
    session.untagged(b"ESEARCH", *words)


def _highest(view: View, uids: Sequence[int]) -> int:
    return max(row.modseq for row in view.rows(uids))
