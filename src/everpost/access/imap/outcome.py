"""How a command ends: OK, NO or BAD with a response code; and the one table from errors to these."""

from dataclasses import dataclass

from everpost.access.imap.wire.grammar.search import BadCharset, TooComplex
from everpost.access.imap.wire.names import BadName
from everpost.core.errors import EverpostError, ProtocolError, Refused, TryLater
from everpost.mailbox.errors import (
    BadFolderName,
    FolderExists,
    FolderGone,
    NoFolder,
    NoMessage,
    OverQuota,
    TooLarge,
    TooManyNotes,
    UseTaken,
)

RFCS = (5530, 9051, 9586)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A tagged response without its tag."""

    kind: bytes
    text: str
    code: bytes | None = None


def ok(text: str, code: bytes | None = None) -> Outcome:
    """It is done."""
    return Outcome(b"OK", text, code)


def no(text: str, code: bytes | None = None) -> Outcome:
    """It was understood and refused."""
    return Outcome(b"NO", text, code)


def bad(text: str, code: bytes | None = None) -> Outcome:
    """It was not understood, or does not belong here."""
    return Outcome(b"BAD", text, code)


READ_ONLY = no("The mailbox was opened with EXAMINE", b"READ-ONLY")


class ClientFault(ProtocolError):
    """A command that is well formed and still cannot be meant."""


class UidRequired(ClientFault):
    """A message was named by its sequence number after ENABLE UIDONLY (RFC 9586)."""


# From the special to the general; the first that fits counts.
_CODES: tuple[tuple[type[EverpostError], bytes | None], ...] = (
    (NoFolder, b"NONEXISTENT"),
    (NoMessage, b"EXPUNGEISSUED"),
    (UseTaken, b"USEATTR"),
    (FolderExists, b"ALREADYEXISTS"),
    (BadFolderName, b"CANNOT"),
    (BadName, b"CANNOT"),
    (TooManyNotes, b"METADATA TOOMANY"),
    (OverQuota, b"OVERQUOTA"),
    (TooLarge, b"TOOBIG"),
    (BadCharset, b"BADCHARSET (UTF-8 US-ASCII)"),
    (TooComplex, b"LIMIT"),
    (FolderGone, b"NONEXISTENT"),
    (TryLater, b"UNAVAILABLE"),
    (Refused, None),
    (EverpostError, b"SERVERBUG"),
)


def refusal(error: EverpostError, *, create: bool = False) -> Outcome:
    """What an error means to the client; with `create` a missing mailbox could be created (TRYCREATE)."""
    text = error.text[:1].upper() + error.text[1:]
    if isinstance(error, ProtocolError):
        return bad(text, b"UIDREQUIRED" if isinstance(error, UidRequired) else None)
    if create and isinstance(error, NoFolder):
        return no(text, b"TRYCREATE")
    code = getattr(error, "code", None) or next(code for kind, code in _CODES if isinstance(error, kind))
    return no(text, code)
