"""Folder names: what is allowed, INBOX in any case, and the folders every account starts with."""

import unicodedata

from everpost.mailbox.errors import BadFolderName

SEPARATOR = "/"
INBOX = "INBOX"

MAX_BYTES = 1000
MAX_DEPTH = 50
MAX_FOLDERS = 10_000

# RFC 6154: the roles clients look for, and the names most of them would choose.
FIRST_FOLDERS: tuple[tuple[str, str | None], ...] = (
    (INBOX, None),
    ("Archive", "\\Archive"),
    ("Drafts", "\\Drafts"),
    ("Junk", "\\Junk"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
)
ROLES = ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important")


def normal(name: str) -> str:
    """The name as stored: NFC (RFC 5198), INBOX in capitals also as first part. Raises BadFolderName."""
    name = unicodedata.normalize("NFC", name)
    if len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise BadFolderName("the name is too long")
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in name):
        raise BadFolderName("the name has a control character")
    parts = name.split(SEPARATOR)
    if not all(parts):
        raise BadFolderName("the name has an empty part")
    if len(parts) > MAX_DEPTH:
        raise BadFolderName("the name has too many parts")
    if parts[0].upper() == INBOX:
        parts[0] = INBOX
    return SEPARATOR.join(parts)


def parents(name: str) -> list[str]:
    """The names above this one, outermost first."""
    parts = name.split(SEPARATOR)
    return [SEPARATOR.join(parts[:count]) for count in range(1, len(parts))]
