"""What GETMETADATA and SETMETADATA ask for (RFC 5464 section 5)."""

import re
from dataclasses import dataclass

from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader

RFCS = (5464,)

MAX_ENTRIES = 100
MAX_NAME = 250
# Any depth below an entry.
INFINITY = 1 << 30
_ENTRY = re.compile(rb"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\xff]+)*", re.IGNORECASE)
_DEPTHS = {"0": 0, "1": 1, "INFINITY": INFINITY}


@dataclass(frozen=True, slots=True)
class Get:
    """The whole GETMETADATA."""

    name: str
    """ "" for the server."""
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Set:
    """The whole SETMETADATA."""

    name: str
    values: dict[str, bytes | None]


def get(reader: Reader, *, utf8: bool) -> Get:
    """The arguments of GETMETADATA. Raises names.BadName."""
    max_size, depth = None, 0
    if reader.at(b"("):
        for _ in reader.items(empty=False):
            option = reader.choice({"MAXSIZE": "MAXSIZE", "DEPTH": "DEPTH"}, "MAXSIZE or DEPTH")
            reader.space()
            if option == "MAXSIZE":
                max_size = reader.number()
            else:
                depth = reader.choice(_DEPTHS, "0, 1 or infinity")
        reader.space()
    name = mailbox(reader, utf8=utf8)
    reader.space()
    found = entries(reader) if reader.at(b"(") else (entry(reader),)
    reader.end()
    return Get(name, found, max_size, depth)


def entries(reader: Reader) -> tuple[str, ...]:
    """Names in parentheses."""
    found: list[str] = []
    for _ in reader.items(empty=False):
        found.append(entry(reader))
        if len(found) > MAX_ENTRIES:
            reader.fail("fewer entries")
    return tuple(dict.fromkeys(found))


def entry(reader: Reader) -> str:
    """The name of an entry; its case does not matter."""
    start = reader.place
    name = reader.astring("the name of an entry")
    if len(name) > MAX_NAME or not _ENTRY.fullmatch(name):
        reader.place = start
        reader.fail("an entry such as /private/comment")
    return name.decode().lower()


def set_values(reader: Reader, *, utf8: bool) -> Set:
    """The arguments of SETMETADATA. Raises names.BadName."""
    name = mailbox(reader, utf8=utf8)
    reader.space()
    values: dict[str, bytes | None] = {}
    for _ in reader.items(empty=False):
        start = reader.place
        each = entry(reader)
        if each.count("/") < 2:
            reader.place = start
            reader.fail("an entry such as /private/comment")
        reader.space()
        values[each] = reader.literal() if reader.at(b"~{") else reader.nstring("a value or NIL")
        if len(values) > MAX_ENTRIES:
            reader.fail("fewer entries")
    reader.end()
    return Set(name, values)
