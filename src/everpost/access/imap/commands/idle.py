"""IDLE (RFC 9051 section 6.3.13): changes are told when they happen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everpost.access.imap import sync
from everpost.access.imap.outcome import Outcome, bad, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader
from everpost.core.errors import TryLater

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (2177, 9051)


@dataclass(slots=True)
class Idle:
    """From IDLE to DONE; implements session.Waiting."""

    session: "Session"
    command: Command

    async def line(self, data: bytes) -> Outcome | None:
        """DONE, or a mistake; both end it."""
        return ok("IDLE completed") if data.upper() == b"DONE" else bad("Expected DONE")

    async def woken(self) -> None:
        """Tell what changed."""
        try:
            await sync.tell(self.session, expunges=True)
        except TryLater as error:
            # It is told when the database is back: by the next wake-up or the next look.
            self.session.log.warning("sync.failed", reason=error.text)

    def ended(self) -> None:
        """Do not wake the session any more."""
        if self.session.selected is not None:
            self.session.selected.view.on_change(None)


async def run(session: "Session", command: Command) -> Outcome | None:
    """Begin to wait."""
    Reader.of(command).end()
    idle = Idle(session, command)
    session.waiting = idle
    if session.selected is not None:
        session.selected.view.on_change(session.connection.wake)
    session.ask(b"idling")
    # What changed before anyone would have woken this session.
    await idle.woken()
    return None
