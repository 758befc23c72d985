"""Mailbox names as arguments."""

from everpost.access.imap.wire import names
from everpost.access.imap.wire.tokens import Reader

RFCS = (3501, 9051)


def mailbox(reader: Reader, *, utf8: bool) -> str:
    """A mailbox name; INBOX in any case is INBOX. Raises names.BadName."""
    name = names.decode(reader.astring("a mailbox name"), utf8=utf8)
    return "INBOX" if name.upper() == "INBOX" else name
