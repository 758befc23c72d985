"""What happens in an SMTP session, as the server sees it.

Events marked *to be answered* need exactly one `ServerMachine.reply` (or `challenge`); until then the
machine gives out no further event. The others are only told.
"""

from dataclasses import dataclass, field
from enum import Enum

from everpost.core.address import Address


class ViolationKind(Enum):
    """How a client broke the rules."""

    EARLY_TALK = "spoke before the greeting"
    FOREIGN_PROTOCOL = "speaks another protocol"
    BARE_LINE_END = "a line ended by CR or LF alone"
    SMUGGLING = "something that others might take for the end of the data"
    LINE_TOO_LONG = "a line that is too long"
    UNKNOWN_COMMAND = "an unknown command"
    BAD_SYNTAX = "malformed arguments"
    BAD_SEQUENCE = "a command out of order"
    TOO_MANY_ERRORS = "too many errors"
    NO_PROGRESS = "too many commands without progress"
    TOO_LARGE = "a message larger than announced as the limit"
    BARE_IN_CONTENT = "a message with bare CR or LF"
    AFTER_QUIT = "commands after QUIT"
    BEFORE_TLS = "bytes between STARTTLS and the handshake"


@dataclass(frozen=True, slots=True)
class Hello:
    """EHLO or HELO; to be answered. On a 2xx the machine itself adds the list of extensions."""

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS; to be answered, 220 to begin. Then hand the socket to TLS and call `tls_started`."""


@dataclass(frozen=True, slots=True)
class AuthStart:
    """AUTH; to be answered: `challenge`, 235 or an error. `initial` is None if there was none."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The answer to a challenge; to be answered like AuthStart."""

    data: bytes


@dataclass(frozen=True, slots=True)
class AuthCancel:
    """The client gave the exchange up; the machine has answered 501."""


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL; to be answered."""

    path: str
    """The reverse-path as text, empty for the null one."""
    address: Address | None
    """The same parsed; None for the null one."""
    size: int | None = None
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    """`FULL`, `HDRS` or nothing (RFC 3461 section 4.3)."""
    envid: str = ""
    """Decoded (RFC 3461 section 4.4)."""
    auth: str = ""
    """RFC 4954 section 5; decoded, `<>` if unknown to the client."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """RCPT; to be answered."""

    path: str
    """The forward-path as text; `postmaster` may come without a domain."""
    address: Address
    notify: frozenset[str] = field(default_factory=frozenset)
    """Of NEVER, SUCCESS, FAILURE, DELAY; empty if not given (RFC 3461 section 4.1)."""
    orcpt: str = ""
    """`type;address`, decoded (RFC 3461 section 4.2)."""


@dataclass(frozen=True, slots=True)
class DataStart:
    """DATA or the first BDAT; to be answered, 354 to take the content (not sent for BDAT)."""


@dataclass(frozen=True, slots=True)
class Content:
    """A piece of the message, transparency undone."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ContentEnd:
    """The message is complete; to be answered, and the transaction is over."""

    size: int


@dataclass(frozen=True, slots=True)
class ContentRefused:
    """The machine refused the message and has answered; the transaction is over."""

    kind: ViolationKind


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET, or a new greeting: the transaction is over. The machine has answered RSET."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT; the machine has answered 221. Close."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule was broken; the machine has answered, except to EARLY_TALK."""

    kind: ViolationKind


@dataclass(frozen=True, slots=True)
class Closed:
    """The machine has said 421 or 5xx and will listen no more, or the client is gone. Close."""


Event = (
    Hello
    | StartTls
    | AuthStart
    | AuthResponse
    | AuthCancel
    | Mail
    | Recipient
    | DataStart
    | Content
    | ContentEnd
    | ContentRefused
    | Reset
    | Quit
    | Violation
    | Closed
)
"""NOOP, VRFY, HELP and the like are answered by the machine and not told."""
