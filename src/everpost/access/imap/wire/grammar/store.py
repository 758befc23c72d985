"""What STORE asks for (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3)."""

from collections.abc import Callable
from dataclasses import dataclass

from everpost.access.imap.wire.grammar.flags import flags
from everpost.access.imap.wire.grammar.sets import NumberSet, number_set
from everpost.access.imap.wire.tokens import MAX_63, Reader

RFCS = (9051, 7162)


@dataclass(frozen=True, slots=True)
class Store:
    """The whole command."""

    messages: NumberSet
    op: str
    """ "set", "add" or "remove"."""
    flags: frozenset[str]
    silent: bool
    unchanged_since: int | None = None


_ITEMS = {
    "FLAGS": ("set", False),
    "+FLAGS": ("add", False),
    "-FLAGS": ("remove", False),
    "FLAGS.SILENT": ("set", True),
    "+FLAGS.SILENT": ("add", True),
    "-FLAGS.SILENT": ("remove", True),
}


def store(reader: Reader) -> Store:
    """The arguments of STORE."""
    messages = number_set(reader)
    reader.space()
    modifiers: dict[str, int] = {}
    if reader.at(b"("):
        for _ in reader.items(empty=False):
            name, read = reader.choice(MODIFIERS, "a modifier that this server knows")
            modifiers[name] = read(reader)
        reader.space()
    item = reader.choice(_ITEMS, "FLAGS, +FLAGS or -FLAGS")
    reader.space()
    wanted = flags(reader)
    reader.end()
    return Store(messages, item[0], wanted, item[1], modifiers.get("UNCHANGEDSINCE"))


def _unchanged_since(reader: Reader) -> int:
    reader.space()
    return reader.number(MAX_63, "a modification sequence")


MODIFIERS: dict[str, tuple[str, Callable[[Reader], int]]] = {"UNCHANGEDSINCE": ("UNCHANGEDSINCE", _unchanged_since)}
