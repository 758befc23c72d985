"""What SEARCH asks for (RFC 9051 section 6.4.4), as criteria of the mailbox."""

from collections.abc import Callable
from dataclasses import dataclass

from everpost.access.imap.wire.grammar.dates import day
from everpost.access.imap.wire.grammar.sets import begins_set, ranges
from everpost.access.imap.wire.tokens import MAX_63, Reader
from everpost.core.errors import Refused
from everpost.mailbox import criteria
from everpost.mailbox.criteria import Criterion

RFCS = (3501, 9051, 4731, 5182, 7162)

# Deeper is no human's wish, and costs stack.
MAX_DEPTH = 80
MAX_KEYS = 1_000

RETURN = {name: name for name in ("MIN", "MAX", "ALL", "COUNT", "SAVE")}
ENTRY_TYPES = {name: name for name in ("PRIV", "SHARED", "ALL")}
CHARSETS = {"US-ASCII": "ascii", "UTF-8": "utf-8", "ASCII": "ascii"}


class BadCharset(Refused):
    """The strings are in a charset that this server does not read."""


class TooComplex(Refused):
    """More keys, or deeper ones, than this server follows."""


@dataclass(frozen=True, slots=True)
class Search:
    """The whole command."""

    criterion: Criterion
    returned: frozenset[str] | None = None
    """None if there was no RETURN."""
    modseq: bool = False
    """A MODSEQ key was among them."""


class SearchReader:
    """Reads search keys; `saved` are the UIDs that "$" stands for."""

    def __init__(self, reader: Reader, saved: tuple[int, ...]) -> None:
        self.reader = reader
        self.saved = saved
        self.encoding = "utf-8"
        self.modseq = False
        self._depth = 0
        self._keys = 0

    def text(self, name: str = "a string to look for") -> str:
        """An astring in the charset that was named."""
        start = self.reader.place
        try:
            return self.reader.astring(name).decode(self.encoding)
        except UnicodeDecodeError:
            self.reader.place = start
            self.reader.fail(f"text in {self.encoding}")

    def key(self) -> Criterion:
        """One key. Raises SyntaxFault, TooComplex."""
        self._keys += 1
        self._depth += 1
        if self._depth > MAX_DEPTH or self._keys > MAX_KEYS:
            raise TooComplex("the search has too many or too deeply nested keys")
        found = self._key()
        self._depth -= 1
        return found

    def _key(self) -> Criterion:
        reader = self.reader
        if reader.at(b"("):
            parts = []
            for _ in reader.items(empty=False):
                parts.append(self.key())
            return both(parts)
        if reader.skip(b"$"):
            return criteria.Uids(tuple((uid, uid) for uid in self.saved))
        if begins_set(reader):
            return criteria.Sequence(ranges(reader))
        return reader.choice(KEYS, "a search key that this server knows")(self)


def both(parts: list[Criterion]) -> Criterion:
    """All of the parts, nothing nested that need not be."""
    flat: list[Criterion] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, criteria.And) else (part,))
    return flat[0] if len(flat) == 1 else criteria.And(tuple(flat))


def search(reader: Reader, saved: tuple[int, ...] = ()) -> Search:
    """The arguments of SEARCH. Raises SyntaxFault, BadCharset, TooComplex."""
    keys = SearchReader(reader, saved)
    returned = None
    if reader.text[:7].upper() == b"RETURN ":
        reader.place = 7
        returned = _return(reader)
        reader.space()
    if reader.text[reader.place : reader.place + 8].upper() == b"CHARSET ":
        reader.place += 8
        charset = reader.astring("a charset").decode("ascii", "replace").upper()
        if charset not in CHARSETS:
            raise BadCharset("this charset is not known here")
        # Strings of bytes above 127 are UTF-8 also where US-ASCII was promised.
        reader.space()
    parts = [keys.key()]
    while reader.skip(b" "):
        parts.append(keys.key())
    reader.end()
    return Search(both(parts), returned, keys.modseq)


def _return(reader: Reader) -> frozenset[str]:
    found: set[str] = set()
    for _ in reader.items():
        found.add(reader.choice(RETURN, "a result option that this server knows"))
    return frozenset(found)


Read = Callable[[SearchReader], Criterion]


def _fixed(criterion: Criterion) -> Read:
    return lambda _keys: criterion


def _flag(name: str) -> Read:
    return _fixed(criteria.Flag(name))


def _no_flag(name: str) -> Read:
    return _fixed(criteria.Not(criteria.Flag(name)))


def _keyword(keys: SearchReader) -> Criterion:
    keys.reader.space()
    return criteria.Flag(keys.reader.atom("a keyword").decode())


def _header(name: str) -> Read:
    def read(keys: SearchReader) -> Criterion:
        keys.reader.space()
        return criteria.Header(name, keys.text())

    return read


def _any_header(keys: SearchReader) -> Criterion:
    keys.reader.space()
    name = keys.text("the name of a header field")
    keys.reader.space()
    return criteria.Header(name, keys.text())


def _text(*, body_only: bool) -> Read:
    def read(keys: SearchReader) -> Criterion:
        keys.reader.space()
        return criteria.Text(keys.text(), body_only)

    return read


def _dated(kind: type[criteria.Before | criteria.On | criteria.Since], *, sent: bool) -> Read:
    def read(keys: SearchReader) -> Criterion:
        keys.reader.space()
        return kind(day(keys.reader), sent)

    return read


def _sized(kind: type[criteria.Larger | criteria.Smaller]) -> Read:
    def read(keys: SearchReader) -> Criterion:
        keys.reader.space()
        return kind(keys.reader.number(MAX_63))

    return read


def _not(keys: SearchReader) -> Criterion:
    keys.reader.space()
    part = keys.key()
    return part.part if isinstance(part, criteria.Not) else criteria.Not(part)


def _or(keys: SearchReader) -> Criterion:
    flat: list[Criterion] = []
    for _ in range(2):
        keys.reader.space()
        part = keys.key()
        flat.extend(part.parts if isinstance(part, criteria.Or) else (part,))
    return criteria.Or(tuple(flat))


def _uid(keys: SearchReader) -> Criterion:
    keys.reader.space()
    if keys.reader.skip(b"$"):
        return criteria.Uids(tuple((uid, uid) for uid in keys.saved))
    return criteria.Uids(ranges(keys.reader))


def _modseq(keys: SearchReader) -> Criterion:
    """RFC 7162 section 3.1.5: the entry is read and does not matter, because there is one sequence for all."""
    keys.reader.space()
    if keys.reader.at(b'"'):
        keys.reader.string("the name of an entry")
        keys.reader.space()
        keys.reader.choice(ENTRY_TYPES, "priv, shared or all")
        keys.reader.space()
    keys.modseq = True
    return criteria.ModSeqAtLeast(keys.reader.number(MAX_63, "a modification sequence"))


KEYS: dict[str, Read] = {
    "ALL": _fixed(criteria.All()),
    "ANSWERED": _flag("\\Answered"),
    "BCC": _header("bcc"),
    "BEFORE": _dated(criteria.Before, sent=False),
    "BODY": _text(body_only=True),
    "CC": _header("cc"),
    "DELETED": _flag("\\Deleted"),
    "DRAFT": _flag("\\Draft"),
    "FLAGGED": _flag("\\Flagged"),
    "FROM": _header("from"),
    "HEADER": _any_header,
    "KEYWORD": _keyword,
    "LARGER": _sized(criteria.Larger),
    "MODSEQ": _modseq,
    "NEW": _fixed(criteria.And((criteria.Recent(), criteria.Not(criteria.Flag("\\Seen"))))),
    "NOT": _not,
    "OLD": _fixed(criteria.Not(criteria.Recent())),
    "ON": _dated(criteria.On, sent=False),
    "OR": _or,
    "RECENT": _fixed(criteria.Recent()),
    "SEEN": _flag("\\Seen"),
    "SENTBEFORE": _dated(criteria.Before, sent=True),
    "SENTON": _dated(criteria.On, sent=True),
    "SENTSINCE": _dated(criteria.Since, sent=True),
    "SINCE": _dated(criteria.Since, sent=False),
    "SMALLER": _sized(criteria.Smaller),
    "SUBJECT": _header("subject"),
    "TEXT": _text(body_only=False),
    "TO": _header("to"),
    "UID": _uid,
    "UNANSWERED": _no_flag("\\Answered"),
    "UNDELETED": _no_flag("\\Deleted"),
    "UNDRAFT": _no_flag("\\Draft"),
    "UNFLAGGED": _no_flag("\\Flagged"),
    "UNKEYWORD": lambda keys: criteria.Not(_keyword(keys)),
    "UNSEEN": _no_flag("\\Seen"),
}
