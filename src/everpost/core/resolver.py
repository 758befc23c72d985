"""Asking the DNS: what an answer is and what a resolver must do. `net` has the real one."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from everpost.core.errors import TryLater

T = TypeVar("T")


class ResolverFailed(TryLater):
    """SERVFAIL, a timeout or no server in reach: nothing is known; ask again later."""

    default_status = "4.4.3"


@dataclass(frozen=True, slots=True)
class Mx:
    """One MX record. `exchange` is lower case without the trailing dot; empty means null MX (RFC 7505)."""

    preference: int
    exchange: str


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What the DNS said: `records` in the order received; empty when there are none of that type."""

    records: tuple[T, ...] = ()
    exists: bool = True
    """False for NXDOMAIN: the name itself does not exist."""
    authenticated: bool = False
    """The validating resolver set AD (RFC 4035 section 3.2.3)."""
    ttl: int = 0
    """Seconds this answer may be kept."""


class Resolver(Protocol):
    """Looks names up. Every method raises ResolverFailed when nothing can be known now.

    Names are given and returned as A-labels without the trailing dot.
    """

    async def mx(self, name: str) -> Answer[Mx]: ...

    async def a(self, name: str) -> Answer[str]:
        """IPv4 addresses as text."""
        ...

    async def aaaa(self, name: str) -> Answer[str]:
        """IPv6 addresses as text."""
        ...

    async def txt(self, name: str) -> Answer[str]:
        """TXT records, the strings of each joined, bytes above 127 as latin-1."""
        ...

    async def ptr(self, address: str) -> Answer[str]:
        """Host names of an IPv4 or IPv6 address given as text."""
        ...
