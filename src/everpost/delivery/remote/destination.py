"""Which hosts take mail for a domain, in which order (RFC 5321 section 5)."""

import asyncio
import ipaddress
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from everpost.core.errors import Refused, TryLater
from everpost.core.resolver import Answer, Mx, Resolver, ResolverFailed

RFCS = (5321, 7505)

SMTP_PORT = 25
# RFC 5321 section 5.1 lets a client set a limit; whoever lists more hosts than this loses the last ones.
MAX_HOSTS = 20
MAX_ADDRESSES = 10

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NullMx(Refused):
    """The domain says that it takes no mail (RFC 7505 section 3)."""

    default_status = "5.1.10"


class NoSuchDomain(Refused):
    """The domain does not exist or has neither MX nor addresses."""

    default_status = "5.1.2"


class LoopsBack(Refused):
    """The best host for the domain is this one, which does not host it."""

    default_status = "5.4.6"


class NotFound(TryLater):
    """None of the domain's hosts has an address that can be found now."""

    default_status = "4.4.4"


@dataclass(frozen=True, slots=True)
class Hop:
    """A host set by the operator in place of MX: the value of an entry of `routes`."""

    host: str
    """A name or an IP address."""
    port: int = SMTP_PORT


@dataclass(frozen=True, slots=True)
class Host:
    """One host that may take mail for a destination."""

    name: str
    """The name asked for, or an IP address as text."""
    port: int
    by_operator: bool = False
    """Set in `routes`: it may be one of our own addresses."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The hosts for a domain in the order in which to try them."""

    domain: str
    hosts: tuple[Host, ...]
    authenticated: bool = False
    """The MX answer was validated by DNSSEC. DANE (issue about outgoing mail) depends on it."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Finds hosts and their addresses by the DNS and the operator's table."""

    resolver: Resolver
    chance: random.Random
    port: int = SMTP_PORT
    own_names: frozenset[str] = frozenset()
    """Host names of this cluster's nodes, A-labels in lower case: MX of these would send mail in circles."""
    own_networks: tuple[Network, ...] = ()
    """Addresses of this cluster's nodes. Loopback belongs here except in tests: strangers' MX records may
    name it."""
    routes: Mapping[str, tuple[Hop, ...]] = field(default_factory=dict)
    """Domain (A-labels), or `*` for all others, to hosts used instead of MX, in this order."""

    async def find(self, domain: str) -> Destination:
        """The hosts for a domain (A-labels or address literal).

        Raises NullMx, NoSuchDomain, LoopsBack; ResolverFailed.
        """
        hops = self.routes.get(domain) or self.routes.get("*")
        if hops:
            return Destination(domain, tuple(Host(hop.host, hop.port, by_operator=True) for hop in hops))
        if domain.startswith("["):
            return Destination(domain, (Host(_literal_address(domain), self.port),))
        answer = await self.resolver.mx(domain)
        if not answer.exists:
            raise NoSuchDomain(f"the domain {domain} does not exist")
        if not answer.records:
            # RFC 5321 section 5.1: no MX means an implicit one, the domain itself.
            return Destination(domain, (Host(domain, self.port),), answer.authenticated)
        if all(record.exchange in {"", "."} for record in answer.records):
            raise NullMx(f"the domain {domain} accepts no mail")
        return Destination(domain, self._ordered(domain, answer), answer.authenticated)

    def _ordered(self, domain: str, answer: Answer[Mx]) -> tuple[Host, ...]:
        records = [record for record in answer.records if record.exchange not in {"", "."}]
        own = [record.preference for record in records if record.exchange in self.own_names]
        if own:
            # RFC 5321 section 5.1: hosts as near as ourselves, or farther, would send it back here.
            records = [record for record in records if record.preference < min(own)]
            if not records:
                raise LoopsBack(f"mail for {domain} loops back to this host")
        self.chance.shuffle(records)
        records.sort(key=lambda record: record.preference)
        return tuple(Host(record.exchange, self.port) for record in records[:MAX_HOSTS])

    async def addresses(self, host: Host) -> list[str]:
        """The addresses of a host, IPv6 and IPv4 in turn, each kind in random order; empty if it has none.

        Raises LoopsBack if one of them is our own, ResolverFailed if nothing can be known now.
        """
        found = [host.name] if _is_address(host.name) else await self._look_up(host.name)
        if not host.by_operator and any(self._is_own(address) for address in found):
            raise LoopsBack(f"the host {host.name} is this one")
        return found[:MAX_ADDRESSES]

    async def _look_up(self, name: str) -> list[str]:
        answers = await asyncio.gather(self.resolver.aaaa(name), self.resolver.a(name), return_exceptions=True)
        kinds: list[list[str]] = []
        failure: ResolverFailed | None = None
        for answer in answers:
            if isinstance(answer, ResolverFailed):
                failure = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                addresses = list(answer.records)
                self.chance.shuffle(addresses)
                kinds.append(addresses)
        found = _in_turn(kinds)
        if not found and failure is not None:
            raise failure
        return found

    def _is_own(self, text: str) -> bool:
        address = ipaddress.ip_address(text)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.own_networks)

    async def candidates(self, destination: Destination) -> AsyncIterator[tuple[Host, str]]:
        """Every (host, address) to try, looked up only as far as the caller goes.

        Raises NoSuchDomain, LoopsBack or NotFound when there is nothing to try at all.
        """
        tried = False
        loops: LoopsBack | None = None
        failure: ResolverFailed | None = None
        for host in destination.hosts:
            try:
                addresses = await self.addresses(host)
            except ResolverFailed as error:
                failure = error
                continue
            except LoopsBack as error:
                # RFC 5321 section 5.1: the hosts after ourselves are not to be tried.
                loops = error
                break
            for address in addresses:
                tried = True
                yield host, address
        if tried:
            return
        if failure is not None:
            raise failure
        if loops is not None:
            raise loops
        if len(destination.hosts) == 1 and destination.hosts[0].name == destination.domain:
            raise NoSuchDomain(f"the domain {destination.domain} has no mail host", status="5.4.4")
        raise NotFound(f"no mail host of {destination.domain} has an address")


def _literal_address(domain: str) -> str:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3) as an address. Raises NoSuchDomain."""
    text = domain[1:-1]
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    if not _is_address(text):
        raise NoSuchDomain("an address literal of this kind cannot be reached")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _in_turn(kinds: Sequence[list[str]]) -> list[str]:
    """One of each kind, again and again, until all are used."""
    longest = max((len(kind) for kind in kinds), default=0)
    return [kind[index] for index in range(longest) for kind in kinds if index < len(kind)]
