"""A DNS server that knows only what the test tells it: records, failures, silence, delay, truncation, AD."""

import asyncio
import contextlib
import ipaddress
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.world.loopback import free_address, free_port

# Without EDNS (RFC 1035 section 4.2.1).
_PLAIN_BYTES = 512


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked."""

    name: str
    kind: str
    tcp: bool


@dataclass(slots=True)
class _Fault:
    rcode: str = ""
    """What to answer; empty for no answer at all."""
    times: int | None = None


class Zones:
    """What the DNS knows. Names are without the final dot; what is said of a name's behaviour holds below it too."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self._faults: dict[str, _Fault] = {}
        self._delays: dict[str, float] = {}
        self._truncated: set[str] = set()
        self._authenticated: set[str] = set()
        self.follow = True
        """Answer with the target's records after a CNAME, as recursive servers do."""
        self.negative_ttl: int | None = 60
        """Of the SOA record that comes with "there is none"; None leaves the SOA away."""
        self.asked: list[Question] = []
        """All questions that came in."""

    # What there is.

    def add(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        """Add records in zone file form; TXT as plain text of any length. `*.x.test` stands for all below x.test.

        `add("a.test", "MX", "10 mx.a.test.")`, `add("a.test", "TXT", "v=spf1 -all")`.
        """
        texts = [_txt(value) if kind == "TXT" else value for value in values]
        held = self._records.setdefault((name.lower(), kind), (ttl, []))[1]
        self._records[name.lower(), kind] = (ttl, held + texts)

    def load(self, text: str) -> None:
        """Add many: a line each, `name TYPE value`; `#` begins a comment line."""
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                name, kind, value = line.split(None, 2)
                self.add(name, kind, value)

    def reverse(self, address: str, *names: str) -> None:
        """PTR records for an address."""
        self.add(ipaddress.ip_address(address).reverse_pointer, "PTR", *(name + "." for name in names))

    def remove(self, name: str, kind: str | None = None) -> None:
        """Take records away: of one type, or all of the name."""
        for key in [key for key in self._records if key[0] == name.lower() and kind in {None, key[1]}]:
            del self._records[key]

    # How it behaves.

    def fail(self, name: str, rcode: str = "SERVFAIL", times: int | None = None) -> None:
        """Answer with an error, always or the next `times` questions."""
        self._faults[name.lower()] = _Fault(rcode, times)

    def silence(self, name: str, times: int | None = None) -> None:
        """Do not answer."""
        self._faults[name.lower()] = _Fault("", times)

    def delay(self, name: str, seconds: float) -> None:
        """Answer late."""
        self._delays[name.lower()] = seconds

    def truncate(self, name: str) -> None:
        """Answer by TCP only."""
        self._truncated.add(name.lower())

    def authenticate(self, name: str) -> None:
        """Set AD in the answers, as a validating resolver does."""
        self._authenticated.add(name.lower())

    def heal(self, name: str) -> None:
        """Behave again."""
        self._faults.pop(name.lower(), None)
        self._delays.pop(name.lower(), None)
        self._truncated.discard(name.lower())

    def count(self, name: str, kind: str | None = None) -> int:
        """How often a name was asked for."""
        return sum(q.name == name.lower() and kind in {None, q.kind} for q in self.asked)

    # What the server asks.

    def delay_of(self, name: str) -> float:
        return next((self._delays[near] for near in _upwards(name) if near in self._delays), 0.0)

    def answer(self, query: dns.message.Message, *, tcp: bool) -> dns.message.Message | None:
        """The answer, or None for silence."""
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(Question(name, kind, tcp))
        reply = dns.message.make_response(query, recursion_available=True)
        fault = self._fault(name)
        if fault is not None:
            if not fault.rcode:
                return None
            reply.set_rcode(dns.rcode.from_text(fault.rcode))
            return reply
        if not tcp and any(near in self._truncated for near in _upwards(name)):
            reply.flags |= dns.flags.TC
            return reply
        if any(near in self._authenticated for near in _upwards(name)):
            reply.flags |= dns.flags.AD
        self._fill(reply, name, kind)
        return reply

    def _fill(self, reply: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(20):
            owner = self._owner(name)
            if owner is None:
                reply.set_rcode(dns.rcode.NXDOMAIN)
                break
            if (owner, kind) in self._records:
                ttl, texts = self._records[owner, kind]
                reply.answer.append(dns.rrset.from_text_list(name + ".", ttl, "IN", kind, texts))
                return
            if (owner, "CNAME") not in self._records:
                break
            ttl, texts = self._records[owner, "CNAME"]
            reply.answer.append(dns.rrset.from_text_list(name + ".", ttl, "IN", "CNAME", texts))
            name = texts[0].rstrip(".").lower()
            if not self.follow:
                return
        if self.negative_ttl is not None:
            zone = ".".join(name.split(".")[-2:]).removesuffix(".") + "."
            values = f"ns.fake.test. root.fake.test. 1 3600 600 86400 {self.negative_ttl}"
            reply.authority.append(dns.rrset.from_text(zone, 3600, "IN", "SOA", values))

    def _owner(self, name: str) -> str | None:
        """The name whose records answer: itself, or the wildcard above it (RFC 4592); None if it does not exist."""
        names = {known for known, _ in self._records}
        if name in names or any(known.endswith("." + name) for known in names):
            return name
        for near in list(_upwards(name))[1:]:
            if "*." + near in names:
                return "*." + near
            if near in names:
                return None
        return None

    def _fault(self, name: str) -> _Fault | None:
        for near in _upwards(name):
            fault = self._faults.get(near)
            if fault is not None:
                if fault.times is not None:
                    if fault.times <= 0:
                        continue
                    fault.times -= 1
                return fault
        return None


class DnsServer(Zones):
    """Zones, served over UDP and TCP. `async with DnsServer() as dns:`"""

    def __init__(self, host: str | None = None, port: int | None = None) -> None:
        super().__init__()
        self.host = host or free_address()
        self.port = port or free_port(self.host)
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        """Where to ask."""
        return self.host, self.port

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._datagram), local_addr=(self.host, self.port)
        )
        self._tcp = await asyncio.start_server(self._stream, self.host, self.port)

    async def stop(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # A closed transport leaves its socket in the next turn of the loop.
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _datagram(self, data: bytes, where: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer_datagram(data, where))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_datagram(self, data: bytes, where: tuple[str, int]) -> None:
        answer = await self._answer(data, tcp=False)
        if answer is not None and self._udp is not None:
            self._udp.sendto(answer, where)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = await self._answer(await reader.readexactly(length), tcp=True)
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        writer.close()

    async def _answer(self, data: bytes, *, tcp: bool) -> bytes | None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None
        if not query.question:
            return None
        await asyncio.sleep(self.delay_of(query.question[0].name.to_text(omit_final_dot=True).lower()))
        reply = self.answer(query, tcp=tcp)
        if reply is None:
            return None
        wire = reply.to_wire(max_size=65535)
        if not tcp and len(wire) > (query.payload if query.edns >= 0 else _PLAIN_BYTES):
            reply.answer.clear()
            reply.authority.clear()
            reply.flags |= dns.flags.TC
            wire = reply.to_wire()
        return wire


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, call: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._call = call

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._call(data, addr)


def _upwards(name: str) -> list[str]:
    """a.b.c, b.c, c."""
    labels = name.split(".")
    return [".".join(labels[place:]) for place in range(len(labels))]


def _txt(text: str) -> str:
    """Zone file form: quoted strings of at most 255 bytes (RFC 1035 section 3.3.14)."""
    raw = text.encode("latin-1") if text.isascii() else text.encode()
    pieces = [raw[start : start + 255] for start in range(0, len(raw), 255)] or [b""]
    return " ".join(
        '"' + re.sub(rb"[^ !#-\[\]-~]", lambda found: b"\\%03d" % found.group()[0], piece).decode() + '"'
        for piece in pieces
    )
