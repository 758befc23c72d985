"""APPEND (RFC 9051 section 6.3.12), of one message or of several at once (RFC 3502)."""

from typing import TYPE_CHECKING

from everpost.access.imap.commands.catenate import Source
from everpost.access.imap.outcome import Outcome, no, ok
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.append import append
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 3502, 4315, 7889, 9051)

# A client that changed its mind; no message is empty.
EMPTY = no("An empty message is not stored", b"CANNOT")


async def run(session: "Session", command: Command) -> Outcome:
    """Store messages, all or none."""
    request = append(Reader.of(command), utf8=session.utf8)
    mail = session.need_mail()
    async with Source(session) as source:
        new = [await source.whole(message) for message in request.messages]
    if not all(each.raw for each in new):
        return EMPTY
    if len(new) == 1:
        # The quick way, the same as for a delivery.
        one = await mail.append(request.name, new[0].raw, new[0].flags, new[0].internal_ms)
        return ok("APPEND completed", b"APPENDUID %d %d" % (one.uid_validity, one.uid))
    appended = await mail.append_many(request.name, new)
    return ok("APPEND completed", b"APPENDUID %d %b" % (appended.uid_validity, response.numbers(appended.uids)))
