"""What SEARCH asks for (RFC 9051 section 6.4.4), as criteria of the mailbox."""

from collections.abc import Callable
from dataclasses import dataclass

from everpost.access.imap.wire.grammar import objects
from everpost.access.imap.wire.grammar.dates import day
from everpost.access.imap.wire.grammar.returns import Returned, Window, returned
from everpost.access.imap.wire.grammar.sets import begins_set, ranges
from everpost.access.imap.wire.tokens import MAX_32, MAX_63, Reader
from everpost.core.errors import Refused
from everpost.mailbox import criteria
from everpost.mailbox.criteria import Criterion

RFCS = (3501, 5032, 6203, 7162, 8474, 8514, 9051, 9738)

# Deeper is no human's wish, and costs stack.
MAX_DEPTH = 80
MAX_KEYS = 1_000

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
    window: Window | None = None
    """What PARTIAL asks for."""
    modseq: bool = False
    """A MODSEQ key was among them."""
    sequences: bool = False
    """A set of message sequence numbers was among them."""
    fuzzy: bool = False
    """A FUZZY key was among them."""


class SearchReader:
    """Reads search keys; `saved` are the UIDs that "$" stands for."""

    def __init__(self, reader: Reader, saved: tuple[int, ...]) -> None:
        self.reader = reader
        self.saved = saved
        self.encoding = "utf-8"
        self.modseq = False
        self.fuzzy = False
        self.sequences = False
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
            self.sequences = True
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
    asked = returned(reader)
    if reader.text[reader.place : reader.place + 8].upper() == b"CHARSET ":
        reader.place += 8
        charset(reader)
    return program(reader, saved, asked)


def charset(reader: Reader) -> None:
    """The name of a charset, with the space after it. Raises SyntaxFault, BadCharset.

    Strings of bytes above 127 are UTF-8 also where US-ASCII was promised.
    """
    name = reader.astring("a charset").decode("ascii", "replace").upper()
    if name not in CHARSETS:
        raise BadCharset("this charset is not known here")
    reader.space()


def program(reader: Reader, saved: tuple[int, ...], asked: Returned | None) -> Search:
    """Search keys up to the end. Raises SyntaxFault, TooComplex."""
    keys = SearchReader(reader, saved)
    parts = [keys.key()]
    while reader.skip(b" "):
        parts.append(keys.key())
    reader.end()
    if asked is not None and "RELEVANCY" in asked.options and not keys.fuzzy:
        # RFC 6203 section 4
        reader.fail("FUZZY, because RELEVANCY is asked for")
    if asked is None:
        return Search(both(parts), None, None, keys.modseq, keys.sequences, keys.fuzzy)
    return Search(both(parts), asked.options, asked.window, keys.modseq, keys.sequences, keys.fuzzy)


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


def _uid_after(keys: SearchReader) -> Criterion:
    """RFC 9738: UIDs above the one given."""
    keys.reader.space()
    return criteria.Uids(((keys.reader.number() + 1, MAX_32 + 1),))


def _uid_before(keys: SearchReader) -> Criterion:
    """RFC 9738: UIDs below the one given."""
    keys.reader.space()
    uid = keys.reader.number()
    return criteria.Uids(((1, uid - 1),)) if uid > 1 else criteria.Or(())


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


def _fuzzy(keys: SearchReader) -> Criterion:
    """RFC 6203 section 5 lets a server fall back to exact matching, which is what happens here."""
    keys.reader.space()
    keys.fuzzy = True
    return keys.key()


def _aged(kind: type[criteria.Older | criteria.Younger]) -> Read:
    def read(keys: SearchReader) -> Criterion:
        keys.reader.space()
        start = keys.reader.place
        seconds = keys.reader.number(name="a number of seconds")
        if not seconds:
            # RFC 5032 section 4: nz-number
            keys.reader.place = start
            keys.reader.fail("a number of seconds above 0")
        return kind(seconds)

    return read


def _saved_before(keys: SearchReader) -> Criterion:
    keys.reader.space()
    return criteria.Not(criteria.Saved(since=day(keys.reader)))


def _saved_on(keys: SearchReader) -> Criterion:
    keys.reader.space()
    on = day(keys.reader)
    return criteria.Saved(on, on)


def _saved_since(keys: SearchReader) -> Criterion:
    keys.reader.space()
    return criteria.Saved(since=day(keys.reader))


def _email_id(keys: SearchReader) -> Criterion:
    keys.reader.space()
    content_id = objects.content_id(objects.object_id(keys.reader))
    return criteria.Or(()) if content_id is None else criteria.Content(content_id)


def _thread_id(keys: SearchReader) -> Criterion:
    """RFC 8474 section 5.3: without thread ids, no message has the one asked for."""
    keys.reader.space()
    objects.object_id(keys.reader)
    return criteria.Or(())


KEYS: dict[str, Read] = {
    "ALL": _fixed(criteria.All()),
    "ANSWERED": _flag("\\Answered"),
    "BCC": _header("bcc"),
    "BEFORE": _dated(criteria.Before, sent=False),
    "BODY": _text(body_only=True),
    "CC": _header("cc"),
    "DELETED": _flag("\\Deleted"),
    "DRAFT": _flag("\\Draft"),
    "EMAILID": _email_id,
    "FLAGGED": _flag("\\Flagged"),
    "FROM": _header("from"),
    "FUZZY": _fuzzy,
    "HEADER": _any_header,
    "KEYWORD": _keyword,
    "LARGER": _sized(criteria.Larger),
    "MODSEQ": _modseq,
    "NEW": _fixed(criteria.And((criteria.Recent(), criteria.Not(criteria.Flag("\\Seen"))))),
    "NOT": _not,
    "OLD": _fixed(criteria.Not(criteria.Recent())),
    "OLDER": _aged(criteria.Older),
    "ON": _dated(criteria.On, sent=False),
    "OR": _or,
    "RECENT": _fixed(criteria.Recent()),
    "SAVEDATESUPPORTED": _fixed(criteria.All()),
    "SAVEDBEFORE": _saved_before,
    "SAVEDON": _saved_on,
    "SAVEDSINCE": _saved_since,
    "SEEN": _flag("\\Seen"),
    "SENTBEFORE": _dated(criteria.Before, sent=True),
    "SENTON": _dated(criteria.On, sent=True),
    "SENTSINCE": _dated(criteria.Since, sent=True),
    "SINCE": _dated(criteria.Since, sent=False),
    "SMALLER": _sized(criteria.Smaller),
    "SUBJECT": _header("subject"),
    "TEXT": _text(body_only=False),
    "THREADID": _thread_id,
    "TO": _header("to"),
    "UID": _uid,
    "UIDAFTER": _uid_after,
    "UIDBEFORE": _uid_before,
    "UNANSWERED": _no_flag("\\Answered"),
    "UNDELETED": _no_flag("\\Deleted"),
    "UNDRAFT": _no_flag("\\Draft"),
    "UNFLAGGED": _no_flag("\\Flagged"),
    "UNKEYWORD": lambda keys: criteria.Not(_keyword(keys)),
    "UNSEEN": _no_flag("\\Seen"),
    "YOUNGER": _aged(criteria.Younger),
}
