"""REPLACE and UID REPLACE (RFC 8508): a new message comes and an old one goes, both or neither."""

from typing import TYPE_CHECKING

from everpost.access.imap.commands.append import EMPTY
from everpost.access.imap.commands.catenate import Source
from everpost.access.imap.outcome import READ_ONLY, Outcome, no, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.append import message
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.grammar.sets import NumberSet, ranges
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.appending import Replaced

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (8508,)


async def run(session: "Session", command: Command) -> Outcome:
    """Store the message and remove the other; its EXPUNGE comes with all else that changed."""
    reader = Reader.of(command)
    found = ranges(reader)
    if len(found) != 1 or found[0][0] != found[0][1]:
        reader.place = 0
        reader.fail("the number of one message")
    reader.space()
    name = mailbox(reader, utf8=session.utf8)
    reader.space()
    request = message(reader)
    reader.end()
    selected = session.need_selected()
    if selected.view.read_only:
        return READ_ONLY
    chosen = selected.choose(NumberSet(found), uid=command.is_uid)
    if not chosen.uids:
        return no("There is no such message", b"NONEXISTENT")
    async with Source(session) as source:
        new = await source.whole(request)
    if not new.raw:
        return EMPTY
    old = Replaced(selected.view.folder.folder_id, chosen.uids[0])
    appended = await session.need_mail().append_many(name, [new], old)
    # RFC 8508 section 3.4: before the EXPUNGE response.
    code = b"APPENDUID %d %d" % (appended.uid_validity, appended.uids[0])
    session.untagged_status(b"OK", "The replacement is stored", code)
    return ok("REPLACE completed")
