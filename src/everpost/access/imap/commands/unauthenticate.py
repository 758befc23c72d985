"""UNAUTHENTICATE (RFC 8437): another may log in on the same connection."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (8437,)


async def run(session: "Session", command: Command) -> Outcome:
    """Forget who the client is and all it turned on; TLS and compression stay (RFC 8437 section 3)."""
    Reader.of(command).end()
    session.log_out()
    return ok("Nobody is logged in now")
