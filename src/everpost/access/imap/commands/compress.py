"""COMPRESS (RFC 4978): both directions are packed from the end of the answer on."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, no, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader
from everpost.net.deflate import Deflate

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (4978,)


async def run(session: "Session", command: Command) -> Outcome | None:
    """Answer in plain bytes, then begin. Raises ConnectionLost."""
    reader = Reader.of(command)
    mechanism = reader.word("a mechanism")
    reader.end()
    if mechanism != "DEFLATE":
        return no("There is no such mechanism here", b"CANNOT")
    if session.connection.deflate is not None:
        return no("Compression is on already", b"COMPRESSIONACTIVE")
    session.tagged(command.tag, ok("Compression begins"))
    await session.flush()
    # A client waits for the answer before it says more (RFC 4978 section 3).
    session.machine.discard_input()
    session.connection.deflate = Deflate()
    return None
