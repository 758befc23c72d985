"""LOGOUT (RFC 9051 section 6.1.3)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome:
    """Say BYE and end."""
    Reader.of(command).end()
    session.unselect()
    session.bye("Logging out")
    return ok("LOGOUT completed")
