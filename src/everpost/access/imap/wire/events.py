"""What a client did, as the machine saw it."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Command:
    """A whole command, its literals received."""

    tag: str
    name: str
    """In capitals; "UID FETCH" and its like are one name."""
    text: bytes
    """What follows the name, with the contents of literals left out."""
    literals: tuple[bytes, ...] = ()
    """The contents, in their order."""
    offset: int = 0
    """Where `text` begins in what the client sent, for error messages."""

    @property
    def is_uid(self) -> bool:
        """Whether its numbers are UIDs."""
        return self.name.startswith("UID ")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that continues a command: what the machine was told to expect."""

    data: bytes


class Fault(Enum):
    """Why a command was not taken."""

    NO_COMMAND = "a tag, a space and a command were expected"
    BARE_LF = "lines end in CRLF"
    NUL = "a NUL was found outside of a literal"
    TOO_LONG = "the command is too long"
    TOO_BIG = "the literal is too big"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A command that cannot be obeyed; it was passed over, and what follows it is understood again."""

    tag: str | None
    name: str | None
    fault: Fault


@dataclass(frozen=True, slots=True)
class Hopeless:
    """So much input that cannot be used that the connection has to end."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The client will send nothing more."""


Event = Command | Line | Malformed | Hopeless | Closed
