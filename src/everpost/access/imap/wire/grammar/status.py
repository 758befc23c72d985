"""What STATUS asks for (RFC 9051 section 6.3.11)."""

from enum import Enum

from everpost.access.imap.wire.tokens import Reader

RFCS = (3501, 7162, 8438, 8474, 9051, 9208)


class StatusItem(Enum):
    """Something to know of a mailbox, mostly a total."""

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    DELETED = "DELETED"
    DELETED_STORAGE = "DELETED-STORAGE"
    """Octets of messages flagged \\Deleted (RFC 9208 section 4.1.4)."""
    SIZE = "SIZE"
    HIGHESTMODSEQ = "HIGHESTMODSEQ"
    MAILBOXID = "MAILBOXID"


_ITEMS = {item.value: item for item in StatusItem}


def status_items(reader: Reader) -> tuple[StatusItem, ...]:
    """Items in parentheses."""
    found: list[StatusItem] = []
    for _ in reader.items(empty=False):
        found.append(reader.choice(_ITEMS, "a status item that this server knows"))
    return tuple(dict.fromkeys(found))
