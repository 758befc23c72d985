"""NAMESPACE (RFC 9051 section 6.3.10, RFC 2342)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (2342, 9051)


async def run(session: "Session", command: Command) -> Outcome:
    """One namespace: the account's own, without a prefix."""
    Reader.of(command).end()
    session.untagged(b"NAMESPACE", b'(("" "/")) NIL NIL')
    return ok("NAMESPACE completed")
