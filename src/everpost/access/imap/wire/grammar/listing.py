"""What LIST asks for (RFC 9051 section 6.3.9, RFC 5258)."""

from dataclasses import dataclass

from everpost.access.imap.wire import names
from everpost.access.imap.wire.grammar.metadata import entries
from everpost.access.imap.wire.grammar.status import StatusItem, status_items
from everpost.access.imap.wire.tokens import Reader

RFCS = (3501, 9051, 5258, 5819, 6154, 9590)

MAX_PATTERNS = 100

OPTION = "an option that this server knows"
SELECTION = {name: name for name in ("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE")}
RETURN = {name: name for name in ("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS", "METADATA")}


@dataclass(frozen=True, slots=True)
class List:
    """The whole command."""

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returned: frozenset[str] = frozenset()
    status: tuple[StatusItem, ...] = ()
    extended: bool = False
    """Options or several patterns were given, so the empty pattern has no special meaning."""
    metadata: tuple[str, ...] = ()
    """Entries to tell of each mailbox (RFC 9590)."""


def listing(reader: Reader, *, utf8: bool) -> List:
    """The arguments of LIST. Patterns that can name nothing are left out."""
    selection: frozenset[str] = frozenset()
    extended = False
    if reader.at(b"("):
        selection = _selection(reader)
        reader.space()
        extended = True
    reference = _name(reader.astring("a reference name"), utf8=utf8)
    reader.space()
    wire: list[bytes] = []
    if reader.at(b"("):
        extended = True
        for _ in reader.items(empty=False):
            wire.append(reader.pattern())
            if len(wire) > MAX_PATTERNS:
                reader.fail("fewer patterns")
    else:
        wire.append(reader.pattern())
    returned: frozenset[str] = frozenset()
    status: tuple[StatusItem, ...] = ()
    noted: tuple[str, ...] = ()
    if reader.skip(b" "):
        extended = True
        returned, status, noted = _return(reader)
    reader.end()
    found = tuple(name for pattern in wire if (name := _name(pattern, utf8=utf8)) is not None)
    if reference is None:
        reference, found = "", ()
    return List(reference, found, selection, returned, status, extended, noted)


def lsub(reader: Reader, *, utf8: bool) -> List:
    """The arguments of LSUB (RFC 3501 section 6.3.9)."""
    reference = _name(reader.astring("a reference name"), utf8=utf8)
    reader.space()
    pattern = _name(reader.pattern(), utf8=utf8)
    reader.end()
    if reference is None or pattern is None:
        return List("", ())
    return List(reference, (pattern,))


def _name(wire: bytes, *, utf8: bool) -> str | None:
    try:
        return names.decode(wire, utf8=utf8)
    except names.BadName:
        return None


def _selection(reader: Reader) -> frozenset[str]:
    found: set[str] = set()
    start = reader.place
    for _ in reader.items():
        found.add(reader.choice(SELECTION, OPTION))
    if "RECURSIVEMATCH" in found and not found & {"SUBSCRIBED", "SPECIAL-USE"}:
        # RFC 9051 section 6.3.9.1
        reader.place = start
        reader.fail("RECURSIVEMATCH together with another option")
    return frozenset(found)


def _return(reader: Reader) -> tuple[frozenset[str], tuple[StatusItem, ...], tuple[str, ...]]:
    reader.choice({"RETURN": True}, "RETURN")
    reader.space()
    found: set[str] = set()
    status: tuple[StatusItem, ...] = ()
    noted: tuple[str, ...] = ()
    for _ in reader.items():
        option = reader.choice(RETURN, OPTION)
        found.add(option)
        if option == "STATUS":
            reader.space()
            status = status_items(reader)
        elif option == "METADATA":
            reader.space()
            noted = entries(reader)
    return frozenset(found), status, noted
