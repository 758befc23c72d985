"""What IMAP calls the envelope: the fields that lists of messages are made of."""

import msgspec

from everpost.message.addresses import MAX_ADDRESSES, Group, Mailbox, parse_list
from everpost.message.fields import Fields, unfold

RFCS = (9051,)

Addresses = tuple[Mailbox | Group, ...]


class Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """RFC 9051 section 7.5.2. Values are raw bytes, unfolded; None where the field is missing."""

    date: bytes | None = None
    subject: bytes | None = None
    from_: Addresses = ()
    sender: Addresses = ()
    reply_to: Addresses = ()
    to: Addresses = ()
    cc: Addresses = ()
    bcc: Addresses = ()
    in_reply_to: bytes | None = None
    message_id: bytes | None = None


def _addresses(fields: Fields, name: str) -> Addresses:
    values = fields.all(name)
    if not values:
        return ()
    if len(values) == 1:
        return tuple(parse_list(values[0]))
    found: list[Mailbox | Group] = []
    for value in values:
        found += parse_list(value)
        if len(found) >= MAX_ADDRESSES:
            break
    return tuple(found[:MAX_ADDRESSES])


def envelope_of(fields: Fields) -> Envelope:
    """The envelope of a header; `sender` and `reply_to` default to `from_` as the RFC demands."""
    first = fields.first
    from_ = _addresses(fields, "from") if b"from" in first else ()
    return Envelope(
        date=_value(first.get(b"date")),
        subject=_value(first.get(b"subject")),
        from_=from_,
        sender=(_addresses(fields, "sender") if b"sender" in first else ()) or from_,
        reply_to=(_addresses(fields, "reply-to") if b"reply-to" in first else ()) or from_,
        to=_addresses(fields, "to") if b"to" in first else (),
        cc=_addresses(fields, "cc") if b"cc" in first else (),
        bcc=_addresses(fields, "bcc") if b"bcc" in first else (),
        in_reply_to=_value(first.get(b"in-reply-to")),
        message_id=_value(first.get(b"message-id")),
    )


def _value(value: bytes | None) -> bytes | None:
    return None if value is None else unfold(value)
