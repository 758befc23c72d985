"""CREATE (RFC 9051 section 6.3.4)."""

from typing import TYPE_CHECKING

from everpost.access.imap.folders import list_line, old_name
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar import objects
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.names import SEPARATOR

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (8474, 9051)


async def run(session: "Session", command: Command) -> Outcome:
    """Make a mailbox and those above it."""
    reader = Reader.of(command)
    asked = mailbox(reader, utf8=session.utf8)
    reader.end()
    # A separator at the end announces names below it, which needs no preparation here.
    folder = await session.need_mail().create(asked.removesuffix(SEPARATOR))
    if session.rev2 and folder.name != asked:
        # RFC 9051 section 6.3.4: the server changed the name.
        session.machine.send(list_line(folder.name, (), utf8=True, extended=old_name(asked, utf8=True)))
    return ok("CREATE completed", b"MAILBOXID (%b)" % objects.mailbox_id(folder.folder_id))
