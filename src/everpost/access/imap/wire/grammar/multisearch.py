"""What ESEARCH asks for: a search in several mailboxes (RFC 7377)."""

from dataclasses import dataclass

from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.grammar.search import Search, search
from everpost.access.imap.wire.tokens import Reader

RFCS = (5465, 7377)

MAX_NAMES = 500

SOURCES = {name: name for name in ("SELECTED", "INBOXES", "PERSONAL", "SUBSCRIBED")}
NAMED = {name: name for name in ("SUBTREE", "SUBTREE-ONE", "MAILBOXES")}
SELECTED = "SELECTED"


@dataclass(frozen=True, slots=True)
class Source:
    """Mailboxes to look in."""

    kind: str
    """A word of SOURCES or NAMED."""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """The whole command."""

    sources: tuple[Source, ...]
    search: Search

    @property
    def is_selected_only(self) -> bool:
        """Whether only the selected mailbox is meant."""
        return all(source.kind == SELECTED for source in self.sources)


def multisearch(reader: Reader, saved: tuple[int, ...], *, utf8: bool) -> MultiSearch:
    """The arguments of ESEARCH. Raises SyntaxFault, BadCharset, TooComplex, BadName.

    "$" means messages of the selected mailbox, so it is none in others.
    """
    sources: tuple[Source, ...] = (Source(SELECTED),)
    if reader.text[:4].upper() == b"IN (":
        reader.place = 3
        sources = _sources(reader, utf8=utf8)
        reader.space()
    only = all(source.kind == SELECTED for source in sources)
    start = reader.place
    found = search(reader, saved if only else ())
    if not only and found.returned is not None and "SAVE" in found.returned:
        # RFC 7377 section 2.2
        reader.place = start
        reader.fail("no SAVE, because not only the selected mailbox is searched")
    return MultiSearch(sources, found)


def _sources(reader: Reader, *, utf8: bool) -> tuple[Source, ...]:
    found: list[Source] = []
    for _ in reader.items(empty=False):
        kind = reader.choice(SOURCES | NAMED, "which mailboxes to search")
        found.append(Source(kind, _names(reader, utf8=utf8) if kind in NAMED else ()))
        if len(found) > MAX_NAMES:
            reader.fail("fewer mailboxes")
    return tuple(found)


def _names(reader: Reader, *, utf8: bool) -> tuple[str, ...]:
    reader.space()
    if not reader.at(b"("):
        return (mailbox(reader, utf8=utf8),)
    names: list[str] = []
    for _ in reader.items(empty=False):
        names.append(mailbox(reader, utf8=utf8))
        if len(names) > MAX_NAMES:
            reader.fail("fewer mailboxes")
    return tuple(names)
