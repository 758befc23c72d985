"""What a SASL mechanism is given, and what each of its steps comes to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from everpost.accounts.passwords import ScramKeys

# No honest response is longer (octets); doors bound their lines as well.
MAX_RESPONSE = 8192


class Reason(Enum):
    """Why an exchange failed; for the log, and to tell the peer's mistakes from wrong passwords."""

    MALFORMED = "malformed"
    BINDING = "channel binding"
    PROOF = "wrong proof"


@dataclass(frozen=True, slots=True)
class Context:
    """What a mechanism may use."""

    binding: Callable[[str], bytes | None]
    """Channel binding data by type (RFC 5929), None for a type that cannot be had."""
    plus_offered: bool
    """The client was told of SCRAM-SHA-256-PLUS (RFC 5802 section 6: needed to notice a downgrade)."""
    nonce: Callable[[], str]
    """A fresh one: printable, without commas, not to be guessed."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """To be sent to the client, whose response is the next step."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Verify:
    """The end: the client is this user if the password is right."""

    user: str
    password: str = field(repr=False)
    authorization: str = ""
    """As whom the client wants to act; empty for itself."""


@dataclass(frozen=True, slots=True)
class NeedKeys:
    """Look up the keys of this user, or make some up, and call `provide` for the next challenge."""

    user: str
    authorization: str
    provide: Callable[[ScramKeys], Challenge] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The end: the client proved to be this user."""

    user: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The end: nobody was authenticated."""

    reason: Reason


Step = Challenge | Verify | NeedKeys | Done | Failed


class Mechanism(Protocol):
    """One exchange."""

    def step(self, response: bytes | None) -> Step:
        """The client's next message; None, only at first, if it sent no initial response. Never raises."""
        ...
