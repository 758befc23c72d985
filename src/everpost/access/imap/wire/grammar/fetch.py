"""What FETCH asks for (RFC 9051 section 6.4.5)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from everpost.access.imap.wire import response
from everpost.access.imap.wire.grammar.returns import Window, window
from everpost.access.imap.wire.grammar.sets import NumberSet, number_set
from everpost.access.imap.wire.tokens import MAX_63, Reader

RFCS = (3501, 3516, 7162, 8474, 8514, 8970, 9051, 9394)

MAX_ATTRIBUTES = 100
MAX_FIELDS = 200


class Item(Enum):
    """What needs no further words."""

    FLAGS = b"FLAGS"
    UID = b"UID"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    MODSEQ = b"MODSEQ"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    PREVIEW = b"PREVIEW"
    SAVEDATE = b"SAVEDATE"
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"


class Kind(Enum):
    """Which bytes of a part."""

    ALL = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Section:
    """A part, and which of its bytes."""

    path: str = ""
    """Such as "1.2"; "" for the message itself."""
    kind: Kind = Kind.ALL
    fields: tuple[bytes, ...] = ()
    """Names of header fields, as the client wrote them."""


@dataclass(frozen=True, slots=True)
class Partial:
    """So many bytes, from an offset on."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Body:
    """BODY[...] and the older names for it."""

    label: bytes
    """How the answer names it."""
    section: Section
    partial: Partial | None = None
    peek: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """BINARY[...]: a part with its transfer encoding undone (RFC 3516)."""

    label: bytes
    path: str
    partial: Partial | None = None
    peek: bool = False


@dataclass(frozen=True, slots=True)
class BinarySize:
    """BINARY.SIZE[...]."""

    label: bytes
    path: str


Attribute = Item | Body | Binary | BinarySize


@dataclass(frozen=True, slots=True)
class Fetch:
    """The whole command."""

    messages: NumberSet
    attributes: tuple[Attribute, ...]
    changed_since: int | None = None
    vanished: bool = False
    """Tell which UIDs are gone since then."""
    window: Window | None = None
    """Which of the messages, by their places among them (RFC 9394 section 3.3)."""


_ATTRIBUTE = re.compile(rb"[A-Za-z0-9.]+")
_SECTION = re.compile(rb"((?:[1-9]\d{0,5}(?:\.[1-9]\d{0,5}){0,60}+)?)(\.?)([A-Za-z.]*)")
_PATH = re.compile(rb"(?:[1-9]\d{0,5}(?:\.[1-9]\d{0,5}){0,60}+)?")
_PARTIAL = re.compile(rb"<(\d{1,19})\.([1-9]\d{0,18})>")

MACROS: dict[str, tuple[Attribute, ...]] = {
    "FAST": (Item.FLAGS, Item.INTERNALDATE, Item.SIZE),
    "ALL": (Item.FLAGS, Item.INTERNALDATE, Item.SIZE, Item.ENVELOPE),
    "FULL": (Item.FLAGS, Item.INTERNALDATE, Item.SIZE, Item.ENVELOPE, Item.BODY),
}


def fetch(reader: Reader) -> Fetch:
    """The arguments of FETCH."""
    messages = number_set(reader)
    reader.space()
    attributes = _attributes(reader)
    request = Fetch(messages, attributes)
    if reader.skip(b" "):
        for _ in reader.items(empty=False):
            request = reader.choice(MODIFIERS, "a modifier that this server knows")(reader, request)
    reader.end()
    return request


def _changed_since(reader: Reader, request: Fetch) -> Fetch:
    reader.space()
    return replace(request, changed_since=reader.number(MAX_63, "a modification sequence"))


def _vanished(_reader: Reader, request: Fetch) -> Fetch:
    return replace(request, vanished=True)


def _partial_range(reader: Reader, request: Fetch) -> Fetch:
    reader.space()
    return replace(request, window=window(reader))


MODIFIERS: dict[str, Callable[[Reader, Fetch], Fetch]] = {
    "CHANGEDSINCE": _changed_since,
    "PARTIAL": _partial_range,
    "VANISHED": _vanished,
}


def _attributes(reader: Reader) -> tuple[Attribute, ...]:
    if not reader.at(b"("):
        start = reader.place
        macro = MACROS.get(reader.word("what to fetch"))
        if macro is not None:
            return macro
        reader.place = start
        return (_attribute(reader),)
    found: list[Attribute] = []
    for _ in reader.items(empty=False):
        found.append(_attribute(reader))
        if len(found) > MAX_ATTRIBUTES:
            reader.fail("fewer attributes")
    return tuple(dict.fromkeys(found))


def _attribute(reader: Reader) -> Attribute:
    start = reader.place
    name = reader.match(_ATTRIBUTE, "what to fetch").group().decode().upper()
    read = ATTRIBUTES.get(name)
    if read is None:
        reader.place = start
        reader.fail("something to fetch that this server knows")
    return read(reader)


def _body(reader: Reader) -> Attribute:
    return section(reader, peek=False) if reader.at(b"[") else Item.BODY


def _preview(reader: Reader) -> Attribute:
    """RFC 8970 section 3.2: LAZY makes no difference, because previews are made when messages come in."""
    if reader.skip(b" ("):
        reader.choice({"LAZY": True}, "LAZY")
        reader.expect(b")")
    return Item.PREVIEW


def _body_peek(reader: Reader) -> Attribute:
    return section(reader, peek=True)


def section(reader: Reader, *, peek: bool) -> Body:
    """A section in brackets, and which of its bytes."""
    start = reader.place
    reader.expect(b"[")
    path, dot, word = (group.decode() for group in reader.match(_SECTION, "a section").groups())
    try:
        kind = Kind(word.upper())
    except ValueError:
        reader.place = start + 1
        reader.fail("a section that exists")
    # "1." and "1TEXT" are none, and MIME belongs to a part.
    if bool(dot) != bool(path and word) or (kind is Kind.MIME and not path):
        reader.place = start + 1
        reader.fail("a section that exists")
    fields: tuple[bytes, ...] = ()
    if kind in {Kind.FIELDS, Kind.FIELDS_NOT}:
        reader.space()
        fields = _fields(reader)
    reader.expect(b"]")
    wanted = Section(path, kind, fields)
    partial = _partial(reader)
    return Body(b"BODY[%b]%b" % (_section_label(wanted), _partial_label(partial)), wanted, partial, peek)


def _fields(reader: Reader) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for _ in reader.items(empty=False):
        found.append(reader.astring("the name of a header field"))
        if len(found) > MAX_FIELDS:
            reader.fail("fewer header fields")
    return tuple(found)


def _partial(reader: Reader) -> Partial | None:
    if not reader.at(b"<"):
        return None
    found = reader.match(_PARTIAL, "an offset and a length such as <0.1024>")
    return Partial(int(found.group(1)), int(found.group(2)))


def _section_label(section: Section) -> bytes:
    label = ".".join(filter(None, (section.path, section.kind.value))).encode()
    if section.fields:
        label += b" " + response.listed(map(response.astring, section.fields))
    return label


def _partial_label(partial: Partial | None) -> bytes:
    return b"" if partial is None else b"<%d>" % partial.offset


def _binary(reader: Reader) -> Attribute:
    return _read_binary(reader, peek=False)


def _binary_peek(reader: Reader) -> Attribute:
    return _read_binary(reader, peek=True)


def _read_binary(reader: Reader, *, peek: bool) -> Binary:
    path = _path(reader)
    partial = _partial(reader)
    return Binary(b"BINARY[%b]%b" % (path.encode(), _partial_label(partial)), path, partial, peek)


def _binary_size(reader: Reader) -> Attribute:
    path = _path(reader)
    return BinarySize(b"BINARY.SIZE[%b]" % path.encode(), path)


def _path(reader: Reader) -> str:
    reader.expect(b"[")
    path = reader.match(_PATH, "the number of a part").group().decode()
    reader.expect(b"]")
    return path


def _plain(item: Attribute) -> Callable[[Reader], Attribute]:
    return lambda _reader: item


ATTRIBUTES: dict[str, Callable[[Reader], Attribute]] = {
    **{item.value.decode(): _plain(item) for item in Item},
    "BODY": _body,
    "PREVIEW": _preview,
    "BODY.PEEK": _body_peek,
    "BINARY": _binary,
    "BINARY.PEEK": _binary_peek,
    "BINARY.SIZE": _binary_size,
    # RFC 3501 only.
    "RFC822": _plain(Body(b"RFC822", Section())),
    "RFC822.HEADER": _plain(Body(b"RFC822.HEADER", Section(kind=Kind.HEADER), peek=True)),
    "RFC822.TEXT": _plain(Body(b"RFC822.TEXT", Section(kind=Kind.TEXT))),
}
