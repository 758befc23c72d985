"""What APPEND brings (RFC 9051 section 6.3.12)."""

from dataclasses import dataclass

from everpost.access.imap.wire.grammar.dates import date_time
from everpost.access.imap.wire.grammar.flags import flag_list
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader

RFCS = (3501, 9051, 3516)


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be stored."""

    raw: bytes
    flags: frozenset[str]
    internal_ms: int | None
    """Unix milliseconds; None for now."""


@dataclass(frozen=True, slots=True)
class Append:
    """The whole command."""

    name: str
    message: Message


def append(reader: Reader, *, utf8: bool) -> Append:
    """The arguments of APPEND. Raises names.BadName."""
    name = mailbox(reader, utf8=utf8)
    reader.space()
    message = _message(reader)
    reader.end()
    return Append(name, message)


def _message(reader: Reader) -> Message:
    flags: frozenset[str] = frozenset()
    internal_ms = None
    if reader.at(b"("):
        flags = flag_list(reader)
        reader.space()
    if reader.at(b'"'):
        internal_ms = date_time(reader)
        reader.space()
    return Message(reader.literal(), flags, internal_ms)
