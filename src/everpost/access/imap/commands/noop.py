"""NOOP and CHECK (RFC 9051 section 6.1.2, RFC 3501 section 6.4.1): what changed is told after every command."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(_session: "Session", command: Command) -> Outcome:
    """Do nothing."""
    Reader.of(command).end()
    return ok("NOOP completed")


async def check(_session: "Session", command: Command) -> Outcome:
    """Do nothing: every change is durable when it is answered."""
    Reader.of(command).end()
    return ok("CHECK completed")
