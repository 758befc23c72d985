"""Identifiers of mailboxes and messages that outlive their names and UIDs (RFC 8474)."""

import re

from everpost.access.imap.wire.tokens import Reader

RFCS = (8474,)

_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
_EMAIL_ID = re.compile(rb"M([1-9]\d{0,18})")


def object_id(reader: Reader) -> bytes:
    """An identifier as a client writes it."""
    return reader.match(_OBJECT_ID, "an object identifier").group()


def mailbox_id(folder_id: int) -> bytes:
    """The identifier of a mailbox; it stays when the mailbox is renamed."""
    return b"F%d" % folder_id


def email_id(content_id: int) -> bytes:
    """The identifier of a message; copies of a message have the same."""
    return b"M%d" % content_id


def content_id(email_id: bytes) -> int | None:
    """The content that an identifier means; None if this server has never given it out."""
    found = _EMAIL_ID.fullmatch(email_id)
    return int(found.group(1)) if found else None
