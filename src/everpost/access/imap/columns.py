"""FETCH items that need no message bytes, made for many messages at a time."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from everpost.access.imap.wire import response
from everpost.access.imap.wire.grammar import objects
from everpost.access.imap.wire.grammar.fetch import Item
from everpost.mailbox import flags as flag_names
from everpost.mailbox.reading import Forms
from everpost.message import imapform
from everpost.message.part import unpack
from everpost.message.summary import Summary
from everpost.store.sql.messages import MessageRow

RFCS = (7162, 8474, 8514, 8970, 9051)

Rows = Sequence[MessageRow]


@lru_cache(maxsize=8192)
def flags_text(bits: int, keywords: str, recent: bool) -> bytes:
    """`FLAGS (...)`."""
    names = flag_names.names(bits, keywords)
    return b"FLAGS " + response.flags(names | {"\\Recent"} if recent else names)


def flags(rows: Rows, recent_from: int) -> list[bytes]:
    """FLAGS; UIDs from `recent_from` on are \\Recent."""
    if rows[-1].uid < recent_from:
        return [flags_text(row[2], row[3], False) for row in rows]
    return [flags_text(row.flags, row.keywords, row.uid >= recent_from) for row in rows]


def _uid(rows: Rows) -> list[bytes]:
    return [b"UID %d" % row[0] for row in rows]


def _size(rows: Rows) -> list[bytes]:
    return [b"RFC822.SIZE %d" % row[4] for row in rows]


def _date(rows: Rows) -> list[bytes]:
    date_time = response.date_time
    return [b"INTERNALDATE " + date_time(row[5]) for row in rows]


def _modseq(rows: Rows) -> list[bytes]:
    return [b"MODSEQ (%d)" % row[1] for row in rows]


def _saved(rows: Rows) -> list[bytes]:
    date_time = response.date_time
    return [b"SAVEDATE " + date_time(row[6]) for row in rows]


def _email_id(rows: Rows) -> list[bytes]:
    return [b"EMAILID (%b)" % objects.email_id(row[7]) for row in rows]


def _thread_id(rows: Rows) -> list[bytes]:
    # RFC 8474 section 5.2: NIL where threads are not kept.
    return [b"THREADID NIL"] * len(rows)


def previews(rows: Rows, summaries: dict[int, Summary], *, utf8: bool) -> list[bytes]:
    """PREVIEW (RFC 8970), for messages that all have a summary."""
    return [b"PREVIEW " + response.string(summaries[row.uid].preview.encode(), utf8=utf8) for row in rows]


BY_ROW: dict[Item, Callable[[Rows], list[bytes]]] = {
    Item.UID: _uid,
    Item.SIZE: _size,
    Item.INTERNALDATE: _date,
    Item.MODSEQ: _modseq,
    Item.SAVEDATE: _saved,
    Item.EMAILID: _email_id,
    Item.THREADID: _thread_id,
}


def _structure(forms: Forms) -> bytes:
    return b"BODYSTRUCTURE " + forms.bodystructure


def _body(forms: Forms) -> bytes:
    return b"BODY " + imapform.body(unpack(forms.structure))


def _envelope(forms: Forms) -> bytes:
    return b"ENVELOPE " + forms.envelope


BY_FORMS: dict[Item, Callable[[Forms], bytes]] = {
    Item.ENVELOPE: _envelope,
    Item.BODYSTRUCTURE: _structure,
    Item.BODY: _body,
}
