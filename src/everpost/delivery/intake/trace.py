"""The Received field, put on everything taken in (RFC 5321 section 4.4)."""

import re
from dataclasses import dataclass

from everpost.core.clock import Clock
from everpost.message.dates import render
from everpost.net.connection import TlsInfo

RFCS = (3848, 5321, 6531)

# What a HELO name can consist of in a Received field: letters, digits and what address literals need, and
# non-ASCII letters. Parentheses, semicolons, controls, spaces and the like could end the field or a comment.
_UNSAFE = re.compile(r"[^A-Za-z0-9.\-_:\[\]\u00a1-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]")
MAX_NAME = 255


def safe_name(name: str) -> str:
    """A name given by the peer as it may stand in a field: nothing in it can change the field's meaning."""
    return _UNSAFE.sub("?", name[:MAX_NAME]) or "unknown"


def address_literal(host: str) -> str:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


def protocol(*, extended: bool, utf8: bool, tls: bool, authenticated: bool) -> str:
    """The `with` keyword: RFC 3848, and RFC 6531 section 4.3 for UTF8SMTP."""
    if utf8:
        name = "UTF8SMTP"
    elif extended or tls or authenticated:
        name = "ESMTP"
    else:
        return "SMTP"
    return name + ("S" if tls else "") + ("A" if authenticated else "")


@dataclass(frozen=True, slots=True)
class Hop:
    """One way into this node: what its Received fields share over a session."""

    node: str
    """The node's host name."""
    helo: str
    host: str
    """The peer's address as text."""
    tls: TlsInfo | None
    extended: bool
    authenticated: bool = False

    def opening(self, utf8: bool) -> str:
        """The field up to the id, the same for each message of a session."""
        tls = f" (using {safe_name(self.tls.version)} with cipher {safe_name(self.tls.cipher)})" if self.tls else ""
        how = protocol(extended=self.extended, utf8=utf8, tls=self.tls is not None, authenticated=self.authenticated)
        helo = safe_name(self.helo)
        if not utf8 and not helo.isascii():
            # RFC 6531 section 3.7.3: without SMTPUTF8 trace fields stay ASCII.
            helo = helo.encode("ascii", "replace").decode()
        return f"Received: from {helo} ({address_literal(self.host)}){tls}\r\n\tby {self.node} with {how}\r\n\tid "


def received(opening: str, trace_id: str, recipient: str | None, date: str) -> bytes:
    """A Received field. `recipient` is given only for a single one: nobody learns of blind copies."""
    whom = f"\r\n\tfor <{recipient}>" if recipient else ""
    return f"{opening}{trace_id}{whom};\r\n\t{date}\r\n".encode()


class Dates:
    """The current time as a field writes it, rendered once a second."""

    __slots__ = ("_clock", "_second", "_text")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._text = ""

    def now(self) -> str:
        second = int(self._clock.now())
        if second != self._second:
            self._second, self._text = second, render(second)
        return self._text
