"""SUBSCRIBE and UNSUBSCRIBE (RFC 9051 sections 6.3.7 and 6.3.8)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.names import SEPARATOR

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def subscribe(session: "Session", command: Command) -> Outcome:
    """Subscribe to a mailbox that exists; the subscription outlives it."""
    name = _name(session, command)
    mail = session.need_mail()
    await mail.status(name)
    await mail.subscribe(name)
    return ok("SUBSCRIBE completed")


async def unsubscribe(session: "Session", command: Command) -> Outcome:
    """Unsubscribe, whether or not the mailbox exists."""
    await session.need_mail().unsubscribe(_name(session, command))
    return ok("UNSUBSCRIBE completed")


def _name(session: "Session", command: Command) -> str:
    reader = Reader.of(command)
    name = mailbox(reader, utf8=session.utf8)
    reader.end()
    return name.removesuffix(SEPARATOR)
