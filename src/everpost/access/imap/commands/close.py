"""CLOSE and UNSELECT (RFC 9051 sections 6.4.1 and 6.4.2)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3691, 9051)


async def close(session: "Session", command: Command) -> Outcome:
    """Remove what is flagged \\Deleted without telling, and let go of the mailbox."""
    Reader.of(command).end()
    view = session.need_selected().view
    if not view.read_only:
        await view.expunge()
    session.unselect()
    return ok("CLOSE completed")


async def unselect(session: "Session", command: Command) -> Outcome:
    """Let go of the mailbox."""
    Reader.of(command).end()
    session.unselect()
    return ok("UNSELECT completed")
