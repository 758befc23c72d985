"""What IMAP calls the envelope: the fields that lists of messages are made of."""

import msgspec

from everpost.message.addresses import Group, Mailbox, parse_list
from everpost.message.fields import Fields

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
    return tuple(address for value in values for address in parse_list(value))


def envelope_of(fields: Fields) -> Envelope:
    """The envelope of a header; `sender` and `reply_to` default to `from_` as the RFC demands."""
    from_ = _addresses(fields, "from")
    return Envelope(
        date=fields.get("date"),
        subject=fields.get("subject"),
        from_=from_,
        sender=_addresses(fields, "sender") or from_,
        reply_to=_addresses(fields, "reply-to") or from_,
        to=_addresses(fields, "to"),
        cc=_addresses(fields, "cc"),
        bcc=_addresses(fields, "bcc"),
        in_reply_to=fields.get("in-reply-to"),
        message_id=fields.get("message-id"),
    )
