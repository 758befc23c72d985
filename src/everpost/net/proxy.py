"""The PROXY protocol, versions 1 and 2: who the client behind a load balancer is. Pure."""

import ipaddress
import re
import struct
from dataclasses import dataclass

from everpost.core.errors import ProtocolError

# HAProxy, doc/proxy-protocol.txt, sections 2.1 and 2.2.
# A version 1 line is at most 107 bytes; a version 2 header is 16 bytes and what it announces, bounded here.
MAX_V1 = 107
MAX_V2 = 16 + 1024
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_ADDRESS = rb"([0-9a-fA-F.:]+)"
_V1 = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) " + _ADDRESS + rb" " + _ADDRESS + rb" (\d{1,5}) (\d{1,5}))\r\n"
)


@dataclass(frozen=True, slots=True)
class Proxied:
    """The addresses behind the proxy; None for a connection of the proxy's own (health checks)."""

    source: tuple[str, int] | None
    target: tuple[str, int] | None
    length: int
    """How many bytes the header took."""


def parse(data: bytes) -> Proxied | None:
    """Read a header at the start of `data`; None if more bytes are needed. Raises ProtocolError."""
    if data[: len(_V2)] == _V2[: len(data)] and (len(data) >= len(_V2) or not data.startswith(b"P")):
        return _version2(data)
    if b"PROXY "[: len(data)] == data[:6]:
        return _version1(data)
    raise ProtocolError("a PROXY header was expected")


def _version1(data: bytes) -> Proxied | None:
    end = data.find(b"\r\n", 0, MAX_V1)
    if end < 0:
        if len(data) >= MAX_V1:
            raise ProtocolError("the PROXY header is too long")
        return None
    found = _V1.fullmatch(data, 0, end + 2)
    if found is None:
        raise ProtocolError("malformed PROXY header")
    family, source, target, source_port, target_port = found.groups()
    if family is None:
        return Proxied(None, None, end + 2)
    version = int(family)
    return Proxied(_checked(version, source, source_port), _checked(version, target, target_port), end + 2)


def _checked(version: int, host: bytes, port: bytes) -> tuple[str, int]:
    try:
        address = ipaddress.ip_address(host.decode("ascii"))
    except ValueError as error:
        raise ProtocolError("malformed PROXY header") from error
    if address.version != version or int(port) > 65535:
        raise ProtocolError("malformed PROXY header")
    return _text(address), int(port)


def _text(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An IPv4 client of an IPv6 address of the balancer is an IPv4 client."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _version2(data: bytes) -> Proxied | None:
    if len(data) < 16:
        return None
    version_command, family, length = struct.unpack_from("!BBH", data, 12)
    total = 16 + length
    if version_command >> 4 != 2 or total > MAX_V2:
        raise ProtocolError("malformed PROXY header")
    if len(data) < total:
        return None
    match version_command & 15:
        case 0:
            # LOCAL: the balancer's own, such as a health check.
            return Proxied(None, None, total)
        case 1:
            pass
        case _:
            raise ProtocolError("malformed PROXY header")
    match family >> 4:
        case 1 if length >= 12:
            source, target, source_port, target_port = struct.unpack_from("!4s4sHH", data, 16)
        case 2 if length >= 36:
            source, target, source_port, target_port = struct.unpack_from("!16s16sHH", data, 16)
        case _:
            return Proxied(None, None, total)
    return Proxied(
        (_text(ipaddress.ip_address(source)), source_port), (_text(ipaddress.ip_address(target)), target_port), total
    )
