"""Quick resynchronisation: SELECT (QRESYNC ...), UID FETCH (... VANISHED), and turning it on (RFC 7162)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from everpost.access.imap import sync
from everpost.access.imap.outcome import ClientFault, UidRequired
from everpost.access.imap.selected import Selected
from everpost.access.imap.vanished import tell_vanished
from everpost.access.imap.wire.grammar.qresync import Resync, resync
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.criteria import spans

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (7162,)

# So many FETCH responses between two looks at the output.
FETCHES_AT_ONCE = 2_000


def enable(session: "Session") -> bool:
    """ENABLE QRESYNC, which is CONDSTORE too (RFC 7162 section 3.2.3)."""
    fresh = not session.qresync
    session.qresync = True
    session.enable_condstore()
    return fresh


def parameter(session: "Session", reader: Reader) -> Callable[["Session", Selected], Awaitable[None]]:
    """The parameter of SELECT: what to tell once the mailbox is open. Raises ClientFault."""
    request = resync(reader)
    if not session.qresync:
        # RFC 7162 section 3.2.5
        raise ClientFault("ENABLE QRESYNC comes first")
    if session.uid_only and request.pairs:
        # RFC 9586 section 3
        raise UidRequired("after ENABLE UIDONLY there are no sequence numbers")

    async def tell(session: "Session", selected: Selected) -> None:
        if request.uid_validity == selected.view.folder.uid_validity:
            await _tell(session, selected, request)

    return tell


async def _tell(session: "Session", selected: Selected, request: Resync) -> None:
    """RFC 7162 section 3.2.5.1: what is gone, then what changed, of the UIDs the client knows."""
    view = selected.view
    await tell_vanished(session, selected, request.modseq, request.known, above=_unchanged_up_to(selected, request))
    last = view.uids[-1] if view.uids else 0
    chosen = selected.by_uid(spans(request.known or ((1, max(last, 1)),), last))
    rows = view.rows(chosen.uids)
    changed = [
        (sequence, row.uid) for sequence, row in zip(chosen.sequences, rows, strict=True) if row.modseq > request.modseq
    ]
    for start in range(0, len(changed), FETCHES_AT_ONCE):
        for sequence, uid in changed[start : start + FETCHES_AT_ONCE]:
            session.machine.send(sync.flags_line(session, sequence, view.record(uid), uid=True))
        await session.flush(full=True)


def _unchanged_up_to(selected: Selected, request: Resync) -> int:
    """The highest UID that still has the sequence number it had: below it nothing is gone."""
    uids = selected.view.uids
    return max((uid for number, uid in request.pairs if number <= len(uids) and uids[number - 1] == uid), default=0)
