"""COPY and MOVE, and the same by UID (RFC 9051 sections 6.4.7 to 6.4.9)."""

from typing import TYPE_CHECKING

from everpost.access.imap import limit
from everpost.access.imap.outcome import READ_ONLY, Outcome, no, ok
from everpost.access.imap.selected import Chosen
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.grammar.sets import number_set
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.values import Copied

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (2180, 4315, 6851, 9051, 9738)


async def copy(session: "Session", command: Command) -> Outcome:
    """Copy messages to another mailbox."""
    chosen, name = _arguments(session, command)
    view = session.need_selected().view
    if not chosen.uids:
        await session.need_mail().status(name)
        return _nothing(command, "copy")
    if (refusal := limit.refused(session, len(chosen.uids))) is not None:
        return refusal
    copied = await view.copy(chosen.uids, name)
    if not copied.source:
        return _nothing(command, "copy")
    return ok("COPY completed", _code(copied))


async def move(session: "Session", command: Command) -> Outcome:
    """Move messages to another mailbox; the EXPUNGE responses come with all else that changed."""
    chosen, name = _arguments(session, command)
    view = session.need_selected().view
    if view.read_only:
        return READ_ONLY
    if not chosen.uids:
        await session.need_mail().status(name)
        return _nothing(command, "move")
    chosen, lowest = limit.newest(session, chosen)
    moved = await view.move(chosen.uids, name)
    if not moved.source:
        return _nothing(command, "move")
    # RFC 6851 section 4.3: before the EXPUNGE responses.
    session.untagged_status(b"OK", "Moved", _code(moved))
    return limit.said(session, ok("MOVE completed"), lowest)


def _arguments(session: "Session", command: Command) -> tuple[Chosen, str]:
    reader = Reader.of(command)
    wanted = number_set(reader)
    reader.space()
    name = mailbox(reader, utf8=session.utf8)
    reader.end()
    return session.need_selected().choose(wanted, uid=command.is_uid), name


def _nothing(command: Command, verb: str) -> Outcome:
    """None of the messages is there: an error, unless they were named by UID (RFC 9051 section 6.4.9)."""
    if command.is_uid or command.text.startswith(b"$"):
        return ok(f"No messages to {verb}")
    return no("The messages are gone", b"EXPUNGEISSUED")


def _code(copied: Copied) -> bytes:
    """Of messages that were gone there is nothing in it: that is how a client knows (RFC 2180 section 4.4)."""
    source, target = response.pairs(copied.source, copied.target)
    return b"COPYUID %d %b %b" % (copied.uid_validity, source, target)
