"""SELECT and EXAMINE (RFC 9051 sections 6.3.2 and 6.3.3)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from everpost.access.imap import sync
from everpost.access.imap.commands import qresync
from everpost.access.imap.folders import attributes, list_line
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.selected import Selected
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar import objects
from everpost.access.imap.wire.grammar.flags import SYSTEM
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader
from everpost.store.sql.messages import SEEN

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 7162, 8474, 9051)


async def select(session: "Session", command: Command) -> Outcome:
    """Open a mailbox."""
    return await _open(session, command, read_only=False)


async def examine(session: "Session", command: Command) -> Outcome:
    """Open a mailbox that this session cannot change."""
    return await _open(session, command, read_only=True)


Tell = Callable[["Session", Selected], Awaitable[None]]


def _condstore(session: "Session", _reader: Reader) -> None:
    session.condstore = True


# What may stand in parentheses after the name; what it gives is called once the mailbox is described.
PARAMETERS: dict[str, Callable[["Session", Reader], Tell | None]] = {
    "CONDSTORE": _condstore,
    "QRESYNC": qresync.parameter,
}


async def _open(session: "Session", command: Command, *, read_only: bool) -> Outcome:
    reader = Reader.of(command)
    name = mailbox(reader, utf8=session.utf8)
    more: list[Tell] = []
    if reader.skip(b" "):
        for _ in reader.items(empty=False):
            tell = reader.choice(PARAMETERS, "a parameter that this server knows")(session, reader)
            if tell is not None:
                more = [tell]
    reader.end()
    if session.unselect():
        # RFC 7162 section 3.2.11; also if the mailbox cannot be opened then (RFC 9051 section 6.3.2).
        session.untagged_status(b"OK", "The mailbox before is closed", b"CLOSED")
    selected = Selected(await session.need_mail().select(name, read_only))
    session.selected = selected
    _describe(session, selected)
    for tell in more:
        await tell(session, selected)
    if read_only:
        return ok("EXAMINE completed", b"READ-ONLY")
    return ok("SELECT completed", b"READ-WRITE")


def _describe(session: "Session", selected: Selected) -> None:
    view = selected.view
    permanent: frozenset[str] = frozenset() if view.read_only else frozenset((*SYSTEM, *selected.spellings(), "\\*"))
    session.machine.send(selected.flags_line())
    session.untagged_status(b"OK", "Flags that last", b"PERMANENTFLAGS " + response.flags(permanent))
    session.untagged(b"%d" % len(view.uids), b"EXISTS")
    if session.rev2:
        session.machine.send(list_line(view.folder.name, attributes(view.folder), utf8=True))
    else:
        session.untagged(b"%d" % sync.recent(selected), b"RECENT")
        unseen = next((place for place, row in enumerate(view.rows(view.uids), 1) if not row.flags & SEEN), None)
        if unseen is not None and not session.uid_only:
            session.untagged_status(b"OK", "The first unseen message", b"UNSEEN %d" % unseen)
    session.untagged_status(b"OK", "UIDs are valid", b"UIDVALIDITY %d" % view.folder.uid_validity)
    session.untagged_status(b"OK", "The next UID", b"UIDNEXT %d" % view.uid_next)
    session.untagged_status(b"OK", "The highest so far", b"HIGHESTMODSEQ %d" % view.highest_modseq)
    session.untagged_status(b"OK", "Its id", b"MAILBOXID (%b)" % objects.mailbox_id(view.folder.folder_id))
