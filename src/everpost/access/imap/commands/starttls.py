"""STARTTLS (RFC 9051 section 6.2.1)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, bad, no, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome:
    """Begin TLS after the answer."""
    Reader.of(command).end()
    if session.connection.tls is not None:
        return bad("TLS has begun already")
    if session.certificates is None:
        return no("There is no certificate here", b"UNAVAILABLE")
    session.upgrade = session.certificates.context
    return ok("Begin TLS now")
