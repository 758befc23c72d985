"""Tells a client what changed in its mailbox (RFC 9051 section 7.5.1: when EXPUNGE may be said)."""

from typing import TYPE_CHECKING

from everpost.access.imap.wire import response
from everpost.mailbox.values import Record

if TYPE_CHECKING:
    from everpost.access.imap.selected import Selected
    from everpost.access.imap.session import Session

RFCS = (2180, 3501, 7162, 9051)

GONE = "The selected mailbox was deleted"


async def tell(session: "Session", *, expunges: bool) -> frozenset[int]:
    """Say what this session's client has not been told; the UIDs whose flags were. Raises StoreUnavailable.

    If the mailbox was deleted, the connection ends with BYE (RFC 2180 section 3.3): a client has no way to
    learn otherwise that it is back in the authenticated state, and every client knows how to reconnect.
    """
    selected = session.selected
    if selected is None:
        return frozenset()
    changes = await selected.view.sync(expunges)
    if changes.gone:
        session.bye(GONE)
        return frozenset()
    if session.qresync and changes.vanished:
        # RFC 7162 section 3.2.10.2
        lines = [response.untagged(b"VANISHED", response.numbers(changes.vanished))]
    else:
        lines = [b"* %d EXPUNGE\r\n" % number for number in changes.expunged]
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
    if uid or session.condstore:
        items.append(b"UID %d" % record.uid)
    if not only_modseq:
        items.append(b"FLAGS " + flags(session, record))
    if session.condstore:
        items.append(b"MODSEQ (%d)" % record.modseq)
    return b"* %d FETCH %b\r\n" % (sequence, response.listed(items))


def flags(session: "Session", record: Record) -> bytes:
    """The list of flags; \\Recent is of IMAP4rev1 alone."""
    if record.recent and not session.rev2:
        return response.flags(record.flags | {"\\Recent"})
    return response.flags(record.flags)
