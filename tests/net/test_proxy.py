import ipaddress
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.core.errors import ProtocolError
from everpost.net.proxy import MAX_V1, MAX_V2, Proxied, parse

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"

ports = st.integers(0, 65535)
addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
)


def version2(command: int, family: int, body: bytes, version: int = 2) -> bytes:
    return SIGNATURE + struct.pack("!BBH", version << 4 | command, family, len(body)) + body


@st.composite
def headers(draw: st.DrawFn) -> tuple[bytes, Proxied]:
    """A good header and what it says."""
    source, target = draw(addresses)
    source_port, target_port = draw(ports), draw(ports)
    if draw(st.booleans()):
        data = f"PROXY TCP{source.version} {source} {target} {source_port} {target_port}\r\n".encode()
    else:
        family = 0x11 if source.version == 4 else 0x21
        extra = draw(st.binary(max_size=60))
        body = source.packed + target.packed + struct.pack("!HH", source_port, target_port) + extra
        data = version2(1, family, body)
    return data, Proxied((plain(source), source_port), (plain(target), target_port), len(data))


def plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return str(getattr(address, "ipv4_mapped", None) or address)


@settings(max_examples=50)
@given(headers(), st.binary(max_size=20))
def test_a_header_is_read_and_what_follows_is_left(header: tuple[bytes, Proxied], rest: bytes) -> None:
    data, meaning = header
    assert parse(data + rest) == meaning


@settings(max_examples=40)
@given(headers(), st.data())
def test_a_part_of_a_header_waits_for_more(header: tuple[bytes, Proxied], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(header[0]) - 1))
    assert parse(header[0][:size]) is None


@settings(max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=120).map(lambda tail: b"PROXY " + tail),
        st.binary(max_size=120).map(lambda tail: SIGNATURE + tail),
    )
)
def test_any_bytes_are_a_header_or_too_few_or_wrong(data: bytes) -> None:
    try:
        header = parse(data)
    except ProtocolError:
        return
    if header is None:
        # Nobody is waited for without end.
        assert len(data) < MAX_V2
        return
    assert header.length <= len(data)
    for end in (header.source, header.target):
        if end is not None:
            ipaddress.ip_address(end[0])
            assert 0 <= end[1] <= 65535


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        version2(0, 0, b""),
        version2(0, 0x11, b"x" * 12),
        version2(1, 0x31, b"x" * 216),
        version2(1, 0x11, b"short"),
    ],
)
def test_headers_that_name_nobody(data: bytes) -> None:
    assert parse(data + b"EHLO") == Proxied(None, None, len(data))


def test_an_ipv4_client_in_ipv6_form_is_an_ipv4_client() -> None:
    header = parse(b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n")
    assert header is not None and header.source == ("192.0.2.1", 1)


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO me\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.300 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
        b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n" + b" " * 100,
        b"PROXY UNKNOWN " + b"x" * MAX_V1,
        version2(2, 0x11, b"x" * 12),
        version2(1, 0x11, b"x" * 12, version=1),
        version2(1, 0x11, b"x" * 2000),
        SIGNATURE[:-1] + b"X" + b"\x21\x11\x00\x00",
    ],
)
def test_wrong_headers_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(data)
