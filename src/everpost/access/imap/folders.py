"""Mailboxes as LIST and STATUS tell them: attributes, patterns, totals."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

from everpost.access.imap.wire import response
from everpost.access.imap.wire.grammar import objects
from everpost.access.imap.wire.grammar.status import StatusItem
from everpost.mailbox.names import INBOX, SEPARATOR
from everpost.mailbox.values import Folder

RFCS = (3501, 5258, 6154, 8438, 8474, 9051)

_WILDCARDS = re.compile(r"[*%]+")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name fits: "*" is anything, "%" anything but the separator.

    The work for a name is linear in its length, times the length of the pattern in machine words.
    """
    pattern = unicodedata.normalize("NFC", _WILDCARDS.sub(lambda run: "*" if "*" in run.group() else "%", pattern))
    fits = _matcher(pattern)
    if pattern[:5].upper() != INBOX or pattern[:5] == INBOX:
        return fits
    # RFC 9051 section 5.1: INBOX in any case.
    inbox_fits = _matcher(INBOX + pattern[5:])
    return lambda name: fits(name) or (name.split(SEPARATOR, 1)[0] == INBOX and inbox_fits(name))


def _matcher(pattern: str) -> Callable[[str], bool]:
    wildcards = len(_WILDCARDS.findall(pattern))
    if not wildcards:
        return pattern.__eq__
    if wildcards > 1:
        return lambda name: _walk(pattern, name)
    expression = "".join(
        ".*" if char == "*" else f"[^{SEPARATOR}]*" if char == "%" else re.escape(char) for char in pattern
    )
    return _searcher(re.compile(expression, re.DOTALL))


def _searcher(expression: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda name: expression.fullmatch(name) is not None


def _walk(pattern: str, name: str) -> bool:
    """All places in the pattern at once, as the bits of a number."""
    stays = anything = 0
    by_char: dict[str, int] = {}
    for place, char in enumerate(pattern):
        if char in "*%":
            stays |= 1 << place
            anything |= (char == "*") << place
        else:
            by_char[char] = by_char.get(char, 0) | 1 << place

    def open_up(places: int) -> int:
        # A wildcard may also stand for nothing; no two stand side by side.
        return places | (places & stays) << 1

    places = open_up(1)
    for char in name:
        moved = (places & by_char.get(char, 0)) << 1
        stayed = places & (anything if char == SEPARATOR else stays)
        places = open_up(moved | stayed)
        if not places:
            return False
    return bool(places >> len(pattern) & 1)


def parents(names: Iterable[str]) -> set[str]:
    """Every name that is above one of these."""
    found: set[str] = set()
    for name in names:
        place = name.rfind(SEPARATOR)
        while place > 0:
            parent = name[:place]
            if parent in found:
                break
            found.add(parent)
            place = name.rfind(SEPARATOR, 0, place)
    return found


def attributes(folder: Folder) -> list[str]:
    """What SELECT tells of a mailbox in IMAP4rev2."""
    return [folder.role] if folder.role else []


def list_line(name: str, told: Sequence[str], *, utf8: bool, extended: bytes = b"", command: bytes = b"LIST") -> bytes:
    """`* LIST (...) "/" name`."""
    line = b'* %b (%b) "/" %b' % (command, " ".join(told).encode(), response.mailbox(name, utf8=utf8))
    return line + (b" (" + extended + b")" if extended else b"") + response.CRLF


def old_name(name: str, *, utf8: bool) -> bytes:
    """The OLDNAME of a LIST line (RFC 9051 section 6.3.9.7)."""
    return b'"OLDNAME" (%b)' % response.mailbox(name, utf8=utf8)


def status_line(
    folder: Folder, items: Iterable[StatusItem], *, utf8: bool, deleted_bytes: Mapping[int, int] | None = None
) -> bytes:
    """`* STATUS name (...)`; `deleted_bytes` by folder is what DELETED-STORAGE tells."""
    told = response.listed(item.value.encode() + b" " + _value(folder, item, deleted_bytes or {}) for item in items)
    return response.untagged(b"STATUS", response.mailbox(folder.name, utf8=utf8), told)


def _value(folder: Folder, item: StatusItem, deleted_bytes: Mapping[int, int]) -> bytes:
    if item is StatusItem.MAILBOXID:
        return b"(%b)" % objects.mailbox_id(folder.folder_id)
    if item is StatusItem.DELETED_STORAGE:
        return b"%d" % deleted_bytes.get(folder.folder_id, 0)
    return b"%d" % TOTALS[item](folder)


TOTALS: dict[StatusItem, Callable[[Folder], int]] = {
    StatusItem.MESSAGES: lambda folder: folder.messages,
    # Those that were expunged before anyone saw them are counted too; IMAP4rev2 has no use for the number.
    StatusItem.RECENT: lambda folder: min(folder.messages, folder.uid_next - folder.recent_uid),
    StatusItem.UIDNEXT: lambda folder: folder.uid_next,
    StatusItem.UIDVALIDITY: lambda folder: folder.uid_validity,
    StatusItem.UNSEEN: lambda folder: folder.unseen,
    StatusItem.DELETED: lambda folder: folder.deleted,
    StatusItem.SIZE: lambda folder: folder.bytes,
    StatusItem.HIGHESTMODSEQ: lambda folder: folder.highest_modseq,
}
