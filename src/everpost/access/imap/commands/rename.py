"""RENAME (RFC 9051 section 6.3.6)."""

from typing import TYPE_CHECKING

from everpost.access.imap.folders import list_line, old_name
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.names import INBOX, SEPARATOR

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome:
    """Rename a mailbox and those below it; of INBOX the messages move."""
    reader = Reader.of(command)
    old = mailbox(reader, utf8=session.utf8)
    reader.space()
    new = mailbox(reader, utf8=session.utf8).removesuffix(SEPARATOR)
    reader.end()
    mail = session.need_mail()
    await mail.rename(old, new)
    if session.rev2 and old != INBOX:
        # RFC 9051 section 6.3.9.7
        folder = await mail.status(new)
        session.machine.send(list_line(folder.name, (), utf8=True, extended=old_name(old, utf8=True)))
    return ok("RENAME completed")
