"""One question to one DNS server over UDP, and TCP where the answer did not fit."""

import asyncio
import contextlib
import struct
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

# RFC 9715 and the DNS flag day: answers of this size are not fragmented anywhere.
UDP_BYTES = 1232


@dataclass(frozen=True, slots=True)
class Nameserver:
    """Address and port of a recursive server."""

    host: str
    port: int = 53


class NoAnswer(Exception):
    """The server did not answer, or not with an answer."""


class NotAName(Exception):
    """Nothing can exist under this name: a label or the whole is too long, or it is malformed."""


class _Datagram(asyncio.DatagramProtocol):
    def __init__(self, query: dns.message.Message) -> None:
        self._query = query
        self.answer: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """What is no answer to our question is passed over: anybody may send it."""
        if self.answer.done() or len(data) < 12 or struct.unpack_from("!H", data)[0] != self._query.id:
            return
        with contextlib.suppress(dns.exception.DNSException, NoAnswer):
            self.answer.set_result(_read(self._query, data))

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask(server: Nameserver, name: str, kind: dns.rdatatype.RdataType, timeout: float) -> dns.message.Message:
    """The server's answer: NOERROR or NXDOMAIN. Raises NoAnswer, NotAName."""
    if not name:
        # The root; nobody sends mail there, and an empty name is somebody's mistake.
        raise NotAName
    try:
        query = dns.message.make_query(name, kind, use_edns=0, payload=UDP_BYTES)
    except dns.exception.DNSException as error:
        raise NotAName from error
    query.flags |= dns.flags.AD
    try:
        async with asyncio.timeout(timeout):
            answer = await _udp(server, query)
            if answer.flags & dns.flags.TC:
                answer = await _tcp(server, query)
    except (OSError, TimeoutError, dns.exception.DNSException, asyncio.IncompleteReadError) as error:
        raise NoAnswer(type(error).__name__) from error
    if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise NoAnswer(dns.rcode.to_text(answer.rcode()))
    return answer


def _read(query: dns.message.Message, data: bytes) -> dns.message.Message:
    # A truncated answer may end anywhere; what is there is not used then.
    answer = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False, continue_on_error=False)
    if not query.is_response(answer):
        raise NoAnswer("an answer to another question")
    return answer


async def _udp(server: Nameserver, query: dns.message.Message) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    # A fresh socket for each question: its random port is half of the guard against forged answers.
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Datagram(query), remote_addr=(server.host, server.port)
    )
    try:
        transport.sendto(query.to_wire())
        return await protocol.answer
    finally:
        transport.close()


async def _tcp(server: Nameserver, query: dns.message.Message) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        wire = query.to_wire()
        writer.write(struct.pack("!H", len(wire)) + wire)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return _read(query, await reader.readexactly(length))
    finally:
        writer.close()
