"""What APPEND brings (RFC 9051 section 6.3.12), several messages (RFC 3502), in parts (RFC 4469)."""

from dataclasses import dataclass

from everpost.access.imap.wire.grammar.dates import date_time
from everpost.access.imap.wire.grammar.flags import flag_list
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader

RFCS = (3501, 9051, 3502, 3516, 4469, 6855)

MAX_PARTS = 1_000


@dataclass(frozen=True, slots=True)
class Url:
    """Bytes of a message that is there already."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be stored."""

    parts: tuple[bytes | Url, ...]
    """Its bytes are these, joined."""
    flags: frozenset[str]
    internal_ms: int | None
    """Unix milliseconds; None for now."""


@dataclass(frozen=True, slots=True)
class Append:
    """The whole command."""

    name: str
    messages: tuple[Message, ...]


def append(reader: Reader, *, utf8: bool) -> Append:
    """The arguments of APPEND. Raises names.BadName."""
    name = mailbox(reader, utf8=utf8)
    reader.space()
    messages = [message(reader)]
    while reader.skip(b" "):
        messages.append(message(reader))
    reader.end()
    return Append(name, tuple(messages))


def message(reader: Reader) -> Message:
    """Flags and a date, if given, and the message."""
    flags: frozenset[str] = frozenset()
    internal_ms = None
    if reader.at(b"("):
        flags = flag_list(reader)
        reader.space()
    if reader.at(b'"'):
        internal_ms = date_time(reader)
        reader.space()
    if reader.text[reader.place : reader.place + 9].upper() == b"CATENATE ":
        reader.place += 9
        return Message(_parts(reader), flags, internal_ms)
    if reader.text[reader.place : reader.place + 6].upper() == b"UTF8 (":
        # RFC 6855 section 4: it says that the header may be UTF-8, which is taken in any case.
        reader.place += 6
        raw = reader.literal()
        reader.expect(b")", "')'")
        return Message((raw,), flags, internal_ms)
    return Message((reader.literal(),), flags, internal_ms)


def _parts(reader: Reader) -> tuple[bytes | Url, ...]:
    found: list[bytes | Url] = []
    for _ in reader.items(empty=False):
        kind = reader.choice({"TEXT": "TEXT", "URL": "URL"}, "TEXT or URL")
        reader.space()
        found.append(reader.literal() if kind == "TEXT" else Url(reader.astring("a URL")))
        if len(found) > MAX_PARTS:
            reader.fail("fewer parts")
    return tuple(found)
