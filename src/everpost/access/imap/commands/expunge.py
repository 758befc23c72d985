"""EXPUNGE and UID EXPUNGE (RFC 9051 sections 6.4.3 and 6.4.9)."""

from typing import TYPE_CHECKING

from everpost.access.imap import limit, sync
from everpost.access.imap.outcome import READ_ONLY, Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.sets import number_set
from everpost.access.imap.wire.tokens import Reader
from everpost.store.sql.messages import DELETED

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (4315, 7162, 9051)


async def run(session: "Session", command: Command) -> Outcome:
    """Remove all messages flagged \\Deleted; the EXPUNGE responses come with all else that changed."""
    Reader.of(command).end()
    view = session.need_selected().view
    if view.read_only:
        return READ_ONLY
    gone = await view.expunge()
    return ok("EXPUNGE completed", await _code(session) if gone else None)


async def run_uid(session: "Session", command: Command) -> Outcome:
    """The same, of these messages only."""
    reader = Reader.of(command)
    wanted = number_set(reader)
    reader.end()
    selected = session.need_selected()
    if selected.view.read_only:
        return READ_ONLY
    chosen, lowest = selected.choose(wanted, uid=True), None
    if session.settings.message_limit:
        deleted = [row.uid for row in selected.view.rows(chosen.uids) if row.flags & DELETED]
        chosen, lowest = limit.newest(session, selected.by_uid((uid, uid) for uid in deleted))
    gone = await selected.view.expunge(chosen.uids) if chosen.uids else []
    return limit.said(session, ok("UID EXPUNGE completed", await _code(session) if gone else None), lowest)


async def _code(session: "Session") -> bytes | None:
    """RFC 7162 section 3.2.7: the modseq up to which the client has then been told everything."""
    if not session.qresync:
        return None
    await sync.tell(session, expunges=True)
    return b"HIGHESTMODSEQ %d" % session.need_selected().view.highest_modseq
