"""STATUS (RFC 9051 section 6.3.11)."""

from typing import TYPE_CHECKING

from everpost.access.imap.folders import status_line
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.grammar.status import StatusItem, status_items
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome:
    """Tell a mailbox's totals."""
    reader = Reader.of(command)
    name = mailbox(reader, utf8=session.utf8)
    reader.space()
    items = status_items(reader)
    reader.end()
    mail = session.need_mail()
    folder = await mail.status(name)
    if StatusItem.HIGHESTMODSEQ in items:
        session.enable_condstore()
    deleted = await mail.deleted_bytes([folder]) if StatusItem.DELETED_STORAGE in items else None
    session.machine.send(status_line(folder, items, utf8=session.utf8, deleted_bytes=deleted))
    return ok("STATUS completed")
