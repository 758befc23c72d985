"""Failed logins: counted by address and by account, answered ever more slowly, then not at all for a while."""

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from everpost.core.clock import Clock
from everpost.core.errors import TryLater


class TooManyFailures(TryLater):
    """Too many failed logins from this address or for this account. The text does not say which."""

    default_status = "4.7.0"

    def __init__(self) -> None:
        super().__init__("too many failed logins; try again later")


class Throttle(Protocol):
    """Remembers failed logins. `login` is a user name as far as it could be understood, known here or not."""

    async def check(self, peer: str, login: str) -> None:
        """Before a password is looked at. Raises TooManyFailures."""
        ...

    async def failed(self, peer: str, login: str) -> float:
        """Count a failure; for how many seconds the answer is to be held back."""
        ...

    async def succeeded(self, peer: str, login: str) -> None:
        """The right password came."""
        ...


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """Failures at which no more attempts are looked at, and times in seconds."""

    per_address: int = 30
    per_account: int = 20
    per_pair: int = 10
    """Of one account from one address that it has logged in from; then the other two do not count."""
    forgive: float = 30.0
    """After this, one failure less."""
    first_delay: float = 1.0
    """Held back after the first failure; doubled with each further one."""
    max_delay: float = 8.0
    entries: int = 50_000
    """Addresses, accounts and pairs remembered, each; the longest untouched are forgotten."""


class _Counts:
    """Failures by key, each forgiven with time; bounded."""

    def __init__(self, settings: ThrottleSettings) -> None:
        self._settings = settings
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: str, now: float) -> float:
        count, since = self._held.get(key, (0.0, now))
        return max(0.0, count - (now - since) / self._settings.forgive)

    def add(self, key: str, now: float) -> float:
        count = self.get(key, now) + 1.0
        self._held[key] = (count, now)
        self._held.move_to_end(key)
        if len(self._held) > self._settings.entries:
            self._held.popitem(last=False)
        return count

    def drop(self, key: str) -> None:
        self._held.pop(key, None)


@dataclass(slots=True)
class MemoryThrottle:
    """Implements Throttle for one worker alone.

    Another worker or node counts for itself, so an attacker has as many tries as there are workers times
    the limit. A throttle that the whole cluster shares is to come behind the same interface.
    """

    clock: Clock
    settings: ThrottleSettings = ThrottleSettings()
    _addresses: _Counts = field(init=False)
    _accounts: _Counts = field(init=False)
    _pairs: _Counts = field(init=False)
    _trusted: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Pairs of address and account that have logged in."""

    def __post_init__(self) -> None:
        self._addresses = _Counts(self.settings)
        self._accounts = _Counts(self.settings)
        self._pairs = _Counts(self.settings)

    async def check(self, peer: str, login: str) -> None:
        now = self.clock.monotonic()
        network, pair = _keys(peer, login)
        if pair in self._trusted:
            # Neither a stranger's guesses at the account nor a neighbour behind the same address lock it out.
            if self._pairs.get(pair, now) >= self.settings.per_pair:
                raise TooManyFailures
        elif (
            self._addresses.get(network, now) >= self.settings.per_address
            or self._accounts.get(login, now) >= self.settings.per_account
        ):
            raise TooManyFailures

    async def failed(self, peer: str, login: str) -> float:
        now = self.clock.monotonic()
        network, pair = _keys(peer, login)
        count = max(self._addresses.add(network, now), self._accounts.add(login, now))
        if pair in self._trusted:
            count = self._pairs.add(pair, now)
        steps = min(math.ceil(count) - 1, 30)
        return min(self.settings.max_delay, self.settings.first_delay * 2.0**steps)

    async def succeeded(self, peer: str, login: str) -> None:
        # What the address did to other accounts stays counted: a known password must not buy new guesses.
        self._accounts.drop(login)
        _, pair = _keys(peer, login)
        self._pairs.drop(pair)
        self._trusted[pair] = None
        self._trusted.move_to_end(pair)
        if len(self._trusted) > self.settings.entries:
            self._trusted.popitem(last=False)


def network_of(peer: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: what one client has for itself."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _keys(peer: str, login: str) -> tuple[str, str]:
    network = network_of(peer)
    return network, f"{network} {login}"
