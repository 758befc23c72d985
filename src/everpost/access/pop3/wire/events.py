"""What a POP3 client asks of the session; everything else the machine answers itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Password:
    """USER and PASS."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthStart:
    """AUTH (RFC 5034); `initial` is None without initial response."""

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The client's answer to a challenge."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthCancel:
    """The client gave up or sent no base64; answered already."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """STLS (RFC 2595)."""


@dataclass(frozen=True, slots=True)
class Stat:
    """STAT."""


@dataclass(frozen=True, slots=True)
class List:
    """LIST, of one message or of all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Uidl:
    """UIDL, of one message or of all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Retrieve:
    """RETR, or TOP with how many `lines` of the body."""

    number: int
    lines: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """DELE."""

    number: int


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT; `update` if it ends a transaction, so that deletions are to be made."""

    update: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The client will say nothing more, or may not; nothing is to be answered."""


Asked = Password | AuthStart | AuthResponse | StartTls | Stat | List | Uidl | Retrieve | Delete | Reset | Quit
"""Events that are to be answered, each before the next is given out."""
Event = Asked | AuthCancel | Closed
