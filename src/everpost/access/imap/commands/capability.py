"""CAPABILITY (RFC 9051 section 6.1.1)."""

from typing import TYPE_CHECKING

from everpost.access.imap.capability import capabilities
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome:
    """Say what the server can do in this state."""
    Reader.of(command).end()
    session.untagged(b"CAPABILITY", capabilities(session))
    return ok("CAPABILITY completed")
