"""APPEND (RFC 9051 section 6.3.12)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, no, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.append import append
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 4315, 9051)


async def run(session: "Session", command: Command) -> Outcome:
    """Store a message."""
    request = append(Reader.of(command), utf8=session.utf8)
    message = request.message
    if not message.raw:
        # A client that changed its mind; no message is empty.
        return no("An empty message is not stored", b"CANNOT")
    appended = await session.need_mail().append(request.name, message.raw, message.flags, message.internal_ms)
    return ok("APPEND completed", b"APPENDUID %d %d" % (appended.uid_validity, appended.uid))
