"""A queued message as it goes onto the wire for one host."""

from collections.abc import Sequence

from everpost.core.address import Address, BadAddress
from everpost.delivery.header import header_end
from everpost.delivery.marks import FORWARDED, without_return_path
from everpost.smtp.client import Outgoing, Rcpt
from everpost.store.sql.queue import QueueRow

RFCS = (3461, 5321, 6531, 6533)


def write(rows: Sequence[QueueRow], raw: bytes) -> Outgoing:
    """The envelope and message for entries that share theirs. `raw` is the message as kept.

    SMTPUTF8 is asked of the next host only where something is really beyond ASCII: clients that always set
    it can still reach hosts without it (RFC 6531 section 3.4 speaks of messages that need it). Otherwise
    domains travel as A-labels.
    """
    first = rows[0]
    message = _marked(first.forwarded_by, without_return_path(raw))
    paths = [first.reverse_path, *(row.recipient for row in rows)]
    utf8 = any(not _local(path).isascii() for path in paths) or (
        bool(first.smtputf8) and not message[: header_end(message)].isascii()
    )
    return Outgoing(
        reverse_path=_path(first.reverse_path, utf8),
        recipients=tuple(
            Rcpt(
                _path(row.recipient, utf8),
                frozenset(row.notify.split(",")) if row.notify else frozenset(),
                row.orcpt if utf8 or row.orcpt.isascii() else "",
            )
            for row in rows
        ),
        raw=message,
        smtputf8=utf8,
        ret=first.ret,
        envid=first.envid if utf8 or first.envid.isascii() else "",
    )


def _local(path: str) -> str:
    return path.rpartition("@")[0]


def _path(path: str, utf8: bool) -> str:
    """An address as the command carries it."""
    if utf8 or path.isascii():
        return path
    address = Address.parse(path)
    return str(Address(address.local, address.ascii_domain))


def _marked(forwarded_by: str, raw: bytes) -> bytes:
    """The message with the mark by which a circle is noticed when it comes back (see `checks.loops`).

    A local part beyond ASCII leaves no mark, because the message would then need SMTPUTF8; the count of
    Received fields still ends such a circle.
    """
    if not forwarded_by:
        return raw
    try:
        path = _path(forwarded_by, utf8=False)
    except BadAddress:
        return raw
    return f"{FORWARDED}: {path}\r\n".encode() + raw if path.isascii() else raw
