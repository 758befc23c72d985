"""Searches whose results are kept up to date for a client (RFC 5267): ADDTO and REMOVEFROM.

What may have changed is found by modification sequence, so it does not matter who changed it or how it was told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from everpost.access.imap import results
from everpost.access.imap.outcome import ClientFault
from everpost.access.imap.wire import response
from everpost.mailbox import criteria
from everpost.mailbox.criteria import Criterion
from everpost.mailbox.sorting import SortKey, sort
from everpost.mailbox.view import View

if TYPE_CHECKING:
    from everpost.access.imap.selected import Selected
    from everpost.access.imap.session import Session

RFCS = (5267, 7377)

MAX_CONTEXTS = 16
# Up to so many changed messages are looked for by UID; more of them by asking for all.
_FEW = 100

Change = tuple[int, list[int]]
"""A place in the result, and UIDs that come to it or go from it."""


@dataclass(slots=True, eq=False)
class Context:
    """A result that the client wants to hear of until the mailbox is closed or CANCELUPDATE."""

    tag: str
    belongs: bytes
    """The correlator of its ESEARCH responses."""
    is_uid: bool
    criterion: Criterion
    keys: tuple[SortKey, ...] | None
    """For SORT; a SEARCH has no order of its own, and its places are all 0."""
    checked: int
    """Modification sequence up to which the result is right."""
    uids: list[int]
    """The result, in its order."""


def check(selected: "Selected", tag: str) -> None:
    """Raises ClientFault if a context has this tag (RFC 5267 section 4.3)."""
    if tag in selected.contexts:
        raise ClientFault("this tag belongs to a search whose updates are still wanted")


def begin(session: "Session", selected: "Selected", context: Context) -> None:
    """Keep a result up to date, or say that this will not be done."""
    if len(selected.contexts) >= MAX_CONTEXTS:
        # RFC 5267 section 4.3.1
        code = b"NOUPDATE " + response.string(context.tag.encode())
        session.untagged_status(b"NO", "Too many searches are kept up to date", code)
        return
    selected.contexts[context.tag] = replace(context, criterion=_fixed(context.criterion, selected.view))


def _fixed(node: Criterion, view: View) -> Criterion:
    """The same with sequence numbers replaced by the UIDs they stand for now (RFC 5267 section 4.3)."""
    match node:
        case criteria.Sequence(ranges):
            places = criteria.spans(ranges, len(view.uids))
            known = [(low, min(high, len(view.uids))) for low, high in places if low <= len(view.uids)]
            return criteria.Uids(tuple((view.uids[low - 1], view.uids[high - 1]) for low, high in known))
        case criteria.And(parts):
            return criteria.And(tuple(_fixed(part, view) for part in parts))
        case criteria.Or(parts):
            return criteria.Or(tuple(_fixed(part, view) for part in parts))
        case criteria.Not(part):
            return criteria.Not(_fixed(part, view))
        case _:
            return node


def expunged(contexts: Iterable[Context], known: Sequence[int], vanished: Sequence[int]) -> bytes:
    """What to say before EXPUNGE; `known` are the UIDs that the client knows by sequence numbers."""
    gone = set(vanished)
    lines = []
    for context in contexts:
        removed = _take(context, gone)
        if removed:
            lines.append(_line(context, known, removed, []))
    return b"".join(lines)


async def changed(selected: "Selected") -> bytes:
    """What to say after EXISTS and FETCH. Raises StoreUnavailable, and then says it another time."""
    view = selected.view
    lines = []
    for context in tuple(selected.contexts.values()):
        modseq = view.highest_modseq
        if context.checked >= modseq:
            continue
        fresh = [row.uid for row in view.rows(view.uids) if row.modseq > context.checked]
        matching = await _matching(view, context.criterion, fresh)
        had = set(context.uids)
        new = [uid for uid in fresh if uid in matching and uid not in had]
        gone = set(fresh) - matching
        # Of messages that are expunged, but not for this client yet, it is not known any more where they belong.
        stay = [uid for uid in context.uids if uid not in gone and not view.is_gone(uid)]
        order = await _order(view, context, [*stay, *new]) if new else []
        removed = _take(context, gone)
        added = _put(context, order, set(new)) if new else []
        context.checked = modseq
        if removed or added:
            lines.append(_line(context, view.uids, removed, added))
    return b"".join(lines)


async def _matching(view: View, criterion: Criterion, fresh: list[int]) -> set[int]:
    if not fresh:
        return set()
    if len(fresh) <= _FEW:
        criterion = criteria.And((criteria.Uids(tuple((uid, uid) for uid in fresh)), criterion))
    return set(await view.search(criterion)).intersection(fresh)


async def _order(view: View, context: Context, uids: list[int]) -> list[int]:
    return sorted(uids) if context.keys is None else await sort(view, uids, context.keys)


def _take(context: Context, gone: set[int]) -> list[Change]:
    """Take messages out of the result, from its end on, so that each place is right when it is said."""
    runs: list[Change] = []
    for place, uid in enumerate(context.uids, 1):
        if uid in gone:
            _run(runs, place, uid)
    context.uids = [uid for uid in context.uids if uid not in gone]
    return runs[::-1]


def _put(context: Context, order: list[int], new: set[int]) -> list[Change]:
    """Put new messages where they belong in the order; those the client knows stay as they are to each other."""
    wanted = {uid: place for place, uid in enumerate(order)}
    merged: list[int] = []
    taken = 0
    for uid in context.uids:
        upto = wanted.get(uid, 0)
        if upto > taken:
            merged.extend(each for each in order[taken:upto] if each in new)
            taken = upto
        merged.append(uid)
    merged.extend(each for each in order[taken:] if each in new)
    context.uids = merged
    runs: list[Change] = []
    for place, uid in enumerate(merged, 1):
        if uid in new:
            _run(runs, place, uid)
    return runs


def _run(runs: list[Change], place: int, uid: int) -> None:
    if runs and runs[-1][0] + len(runs[-1][1]) == place:
        runs[-1][1].append(uid)
    else:
        runs.append((place, [uid]))


def _line(context: Context, known: Sequence[int], removed: list[Change], added: list[Change]) -> bytes:
    words = [b"ESEARCH", context.belongs]
    if context.is_uid:
        words.append(b"UID")
    for name, runs in ((b"REMOVEFROM", removed), (b"ADDTO", added)):
        if not runs:
            continue
        if context.keys is None:
            runs = [(0, sorted(uid for _, uids in runs for uid in uids))]
        pairs = (b"%d %b" % (place, response.numbers(_numbers(context, known, uids))) for place, uids in runs)
        words.append(name + b" " + response.listed(pairs))
    return response.untagged(*words)


def _numbers(context: Context, known: Sequence[int], uids: list[int]) -> list[int]:
    return uids if context.is_uid else results.places(known, uids)
