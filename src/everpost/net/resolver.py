"""DNS answers for everybody: through the configured recursive servers, cached, shared, bounded."""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from everpost.core.clock import Clock
from everpost.core.resolver import Answer, Mx, ResolverFailed
from everpost.net.dnscache import FAILED, Cache, Key
from everpost.net.dnswire import Nameserver, NoAnswer, NotAName, ask

RFCS = (1035, 2308, 6891)

T = TypeVar("T")

MIN_TTL = 5
MAX_TTL = 24 * 3600
# RFC 2308 section 7: how long a failure is remembered, so that a dead zone costs one question in a while.
FAILURE_TTL = 5
NEGATIVE_TTL = 300
MAX_ALIASES = 8
ATTEMPTS = 3


def system_nameservers(path: Path = Path("/etc/resolv.conf")) -> list[Nameserver]:
    """The servers the machine is set up with; the local one if there are none."""
    servers = []
    try:
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "nameserver":
                servers.append(Nameserver(words[1]))
    except OSError:
        pass
    return servers or [Nameserver("127.0.0.1")]


class DnsResolver:
    """Implements core.resolver.Resolver."""

    def __init__(
        self, servers: Sequence[Nameserver], clock: Clock, timeout: float = 3.0, cache: Cache | None = None
    ) -> None:
        """`timeout` in seconds for each question.

        A question is put three times, or once to every server if there are more, beginning with the server that
        answered last. However many aliases there are, all together take at most twice as long.
        """
        self._servers = tuple(servers)
        self._timeout = timeout
        self._attempts = max(ATTEMPTS, len(self._servers))
        self._best = 0
        self._cache = Cache(clock) if cache is None else cache
        self._asking: dict[Key, asyncio.Task[Answer[Any]]] = {}

    async def mx(self, name: str) -> Answer[Mx]:
        return await self._look_up(name, "MX", lambda data: Mx(data.preference, _text(data.exchange)))

    async def a(self, name: str) -> Answer[str]:
        return await self._look_up(name, "A", lambda data: str(data.address))

    async def aaaa(self, name: str) -> Answer[str]:
        return await self._look_up(name, "AAAA", lambda data: str(data.address))

    async def txt(self, name: str) -> Answer[str]:
        return await self._look_up(name, "TXT", lambda data: b"".join(data.strings).decode("latin-1"))

    async def ptr(self, address: str) -> Answer[str]:
        name = ipaddress.ip_address(address).reverse_pointer
        return await self._look_up(name, "PTR", lambda data: _text(data.target))

    async def _look_up(self, name: str, kind: str, read: Callable[[Any], T]) -> Answer[T]:
        key = (name.lower().removesuffix("."), kind)
        cached = self._cache.get(key)
        if cached is FAILED:
            raise ResolverFailed("the DNS does not answer for a name")
        if cached is not None:
            return cast(Answer[T], cached)
        task = self._asking.get(key)
        if task is None:
            # One question for all who wait for it; a caller that goes away does not end it for the others.
            task = asyncio.get_running_loop().create_task(self._resolve(key, read))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return cast(Answer[T], await asyncio.shield(task))

    def _done(self, key: Key, task: asyncio.Task[Answer[Any]]) -> None:
        del self._asking[key]
        if not task.cancelled():
            # Everybody who asked may be gone: the failure is in the cache, nobody need hear of it.
            task.exception()

    async def _resolve(self, key: Key, read: Callable[[Any], T]) -> Answer[T]:
        name, kind = key
        try:
            async with asyncio.timeout(2 * self._attempts * self._timeout):
                answer = await self._follow(name, dns.rdatatype.from_text(kind), read)
        except NotAName:
            answer = Answer((), exists=False, ttl=NEGATIVE_TTL)
        except (NoAnswer, TimeoutError) as error:
            self._cache.keep(key, FAILED, FAILURE_TTL)
            raise ResolverFailed("the DNS does not answer for a name") from error
        self._cache.keep(key, answer, min(max(answer.ttl, MIN_TTL), MAX_TTL))
        return answer

    async def _follow(self, name: str, kind: dns.rdatatype.RdataType, read: Callable[[Any], T]) -> Answer[T]:
        """Ask, and follow aliases that the server left to us."""
        authenticated = True
        ttl = MAX_TTL
        for _ in range(MAX_ALIASES):
            reply = await self._ask(name, kind)
            authenticated = authenticated and bool(reply.flags & dns.flags.AD)
            here = dns.name.from_text(name)
            alias: dns.name.Name | None = None
            for _ in range(MAX_ALIASES):
                found = reply.get_rrset(dns.message.ANSWER, here, dns.rdataclass.IN, kind)
                if found is not None:
                    records = tuple(read(data) for data in found)
                    return Answer(records, True, authenticated, min(ttl, found.ttl))
                alias_set = reply.get_rrset(dns.message.ANSWER, here, dns.rdataclass.IN, dns.rdatatype.CNAME)
                if alias_set is None:
                    break
                ttl = min(ttl, alias_set.ttl)
                alias = here = alias_set[0].target
            exists = reply.rcode() == dns.rcode.NOERROR
            if alias is None or not exists or _knows(reply, alias):
                return Answer((), exists, authenticated, min(ttl, _negative_ttl(reply)))
            name = _text(alias)
        raise NoAnswer("too many aliases")

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        failure = NoAnswer("there is no server")
        first = self._best
        for attempt in range(self._attempts if self._servers else 0):
            place = (first + attempt) % len(self._servers)
            try:
                reply = await ask(self._servers[place], name, kind, self._timeout)
            except NoAnswer as error:
                failure = error
            else:
                self._best = place
                return reply
        raise failure


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _knows(reply: dns.message.Message, alias: dns.name.Name) -> bool:
    """RFC 2308 section 2.2: with an SOA record of its zone, the answer says of the alias that there is nothing."""
    return any(each.rdtype == dns.rdatatype.SOA and alias.is_subdomain(each.name) for each in reply.authority)


def _negative_ttl(reply: dns.message.Message) -> int:
    """RFC 2308 section 5: the least of the SOA's own TTL and its last field."""
    for rrset in reply.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return min(rrset.ttl, int(rrset[0].minimum), NEGATIVE_TTL)
    return FAILURE_TTL
