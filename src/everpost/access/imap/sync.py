"""Tells a client what changed in its mailbox (RFC 9051 section 7.5.1: when EXPUNGE may be said)."""

from typing import TYPE_CHECKING

from everpost.access.imap import contexts
from everpost.access.imap.wire import response
from everpost.mailbox.values import Record

if TYPE_CHECKING:
    from everpost.access.imap.selected import Selected
    from everpost.access.imap.session import Session

RFCS = (2180, 3501, 5267, 7162, 9051, 9586)

GONE = "The selected mailbox was deleted"


async def tell(session: "Session", *, expunges: bool) -> frozenset[int]:
    """Say what this session's client has not been told; the UIDs whose flags were. Raises StoreUnavailable.

    If the mailbox was deleted, the connection ends with BYE (RFC 2180 section 3.3): a client has no way to
    learn otherwise that it is back in the authenticated state, and every client knows how to reconnect.
    """
    selected = session.selected
    if selected is None:
        return frozenset()
    known = selected.view.uids
    changes = await selected.view.sync(expunges)
    if changes.gone:
        session.bye(GONE)
        return frozenset()
    lines = []
    if changes.vanished and selected.contexts:
        # RFC 5267 section 4.3.4: before EXPUNGE, by the numbers that the client knows.
        lines.append(contexts.expunged(selected.contexts.values(), known, changes.vanished))
    if (session.qresync or session.uid_only) and changes.vanished:
        # RFC 7162 section 3.2.10.2
        lines.append(response.untagged(b"VANISHED", response.numbers(changes.vanished)))
    else:
        lines += [b"* %d EXPUNGE\r\n" % number for number in changes.expunged]
    if changes.exists is not None:
        lines.append(b"* %d EXISTS\r\n" % changes.exists)
        if not session.rev2:
            lines.append(b"* %d RECENT\r\n" % recent(selected))
    if changes.flags:
        if selected.new_flags(name for _, record in changes.flags for name in record.flags):
            lines.append(selected.flags_line())
        lines.extend(flags_line(session, sequence, record, uid=True) for sequence, record in changes.flags)
    if lines:
        session.machine.send(b"".join(lines))
    if selected.contexts and (updates := await contexts.changed(selected)):
        session.machine.send(updates)
    return frozenset(record.uid for _, record in changes.flags)


def recent(selected: "Selected") -> int:
    """How many messages are \\Recent in this session."""
    uids = selected.view.uids
    number = 0
    for uid in reversed(uids):
        if uid < selected.view.recent_from:
            break
        number += 1
    return number


def flags_line(session: "Session", sequence: int, record: Record, *, uid: bool, only_modseq: bool = False) -> bytes:
    """An untagged FETCH that says a message's flags; with CONDSTORE also UID and MODSEQ (RFC 7162 section 3.1)."""
    items = []
    if (uid or session.condstore) and not session.uid_only:
        items.append(b"UID %d" % record.uid)
    if not only_modseq:
        items.append(b"FLAGS " + flags(session, record))
    if session.condstore:
        items.append(b"MODSEQ (%d)" % record.modseq)
    return b"* %b %b\r\n" % (fetch_head(session, sequence, record.uid), response.listed(items))


def fetch_head(session: "Session", sequence: int, uid: int) -> bytes:
    """How an untagged FETCH begins; after ENABLE UIDONLY it is a UIDFETCH (RFC 9586)."""
    return b"%d UIDFETCH" % uid if session.uid_only else b"%d FETCH" % sequence


def flags(session: "Session", record: Record) -> bytes:
    """The list of flags; \\Recent is of IMAP4rev1 alone."""
    if record.recent and not session.rev2:
        return response.flags(record.flags | {"\\Recent"})
    return response.flags(record.flags)
