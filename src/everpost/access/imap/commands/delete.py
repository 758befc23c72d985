"""DELETE (RFC 9051 section 6.3.5)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome:
    """Remove a mailbox with its messages; those below it stay."""
    reader = Reader.of(command)
    name = mailbox(reader, utf8=session.utf8)
    reader.end()
    mail = session.need_mail()
    folder = await mail.status(name)
    await mail.delete(name)
    if session.selected is not None and session.selected.view.folder.folder_id == folder.folder_id:
        # Its own doing: unlike a session that finds its mailbox deleted by another, this one need not end.
        session.unselect()
        session.untagged_status(b"OK", "The deleted mailbox was selected", b"CLOSED")
    return ok("DELETE completed")
