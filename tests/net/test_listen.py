import asyncio
import contextlib
import ipaddress
import os
import resource
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import structlog

from everpost.net import accept, listen
from everpost.net.connection import Connection
from everpost.net.listen import Limits, Listener, Server, address_key, bind
from everpost.net.tls import CertificateFiles, Certificates, client_context
from tests.net.conftest import Peer, dial

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
HEADER = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n"


async def echo(connection: Connection) -> None:
    connection.send(f"{connection.peer.host} {connection.peer.port}\n".encode())
    while data := await connection.receive(30):
        connection.send(data)


Start = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[Server] = []

    async def make(
        *listeners: Listener, handler: listen.Handler = echo, reuse_port: bool = False, **more: object
    ) -> Server:
        server = Server(handler, name="test", **more)  # type: ignore[arg-type]
        servers.append(server)
        await server.start(listeners or [Listener("127.0.0.1", 0)], reuse_port=reuse_port)
        return server

    yield make
    for server in servers:
        await server.stop(0)
        assert server.connections == 0
        assert not server._by_address


async def gone(server: Server) -> None:
    """Wait until nobody is connected."""
    async with asyncio.timeout(3):
        while server.connections:
            await asyncio.sleep(0.005)
    assert not server._by_address


async def test_connections_are_served_and_counted(start: Start) -> None:
    server = await start()
    peers = [await dial(server.ports[0]) for _ in range(5)]
    for peer in peers:
        await peer.read()
        await peer.send(b"hi")
        assert await peer.read() == b"hi"
    assert server.connections == 5
    for peer in peers[:2]:
        peer.reset()
    for peer in peers[2:]:
        peer.close()
    await gone(server)


async def test_one_too_many_hears_why(start: Start) -> None:
    server = await start(limits=Limits(total=2), reject=b"421 full\r\n")
    peers = [await dial(server.ports[0]) for _ in range(2)]
    for peer in peers:
        await peer.read()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert await (await dial(server.ports[0])).read_all() == b"421 full\r\n"
    assert [entry["event"] for entry in logs] == ["connections.refused"]
    peers[0].close()
    async with asyncio.timeout(3):
        while server.connections == 2:
            await asyncio.sleep(0.005)
    assert (await (await dial(server.ports[0])).read()).startswith(b"127.0.0.1")


async def test_one_client_cannot_take_all(start: Start) -> None:
    server = await start(limits=Limits(per_address=2), reject=b"421 full\r\n")
    peers = [await dial(server.ports[0]) for _ in range(2)]
    for peer in peers:
        assert (await peer.read()).startswith(b"127.0.0.1")
    assert await (await dial(server.ports[0])).read_all() == b"421 full\r\n"
    assert (await (await dial(server.ports[0], "127.0.0.9")).read()).startswith(b"127.0.0.9")


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::nonsense::", "::nonsense::"),
        ("", ""),
    ],
)
def test_what_counts_as_one_client(host: str, key: str) -> None:
    assert address_key(host) == key


async def test_a_handler_that_fails_harms_only_its_connection(start: Start) -> None:
    async def handler(connection: Connection) -> None:
        if await connection.receive(5) == b"fail":
            raise RuntimeError("secret")
        connection.send(b"fine")

    server = await start(handler=handler)
    with structlog.testing.capture_logs() as logs:
        peer = await dial(server.ports[0])
        await peer.send(b"fail")
        assert await gone_or(peer) == b""
    assert [entry["event"] for entry in logs] == ["connection.broken"]
    other = await dial(server.ports[0])
    await other.send(b"work")
    assert await other.read_all() == b"fine"
    other.close()
    await gone(server)


async def test_implicit_tls(start: Start, files: CertificateFiles) -> None:
    server = await start(Listener("127.0.0.1", 0, Certificates([files]).context), limits=Limits(per_address=1))

    def talk() -> bytes:
        sock = socket.create_connection(("127.0.0.1", server.ports[0]), 5)
        with client_context(verify=False).wrap_socket(sock, server_hostname="a.test") as tls:
            assert tls.recv(100).startswith(b"127.0.0.1")
            tls.sendall(b"over tls")
            return tls.recv(100)

    assert await asyncio.to_thread(talk) == b"over tls"
    await gone(server)
    peer = await dial(server.ports[0])
    with structlog.testing.capture_logs() as logs:
        await peer.send(b"GET / HTTP/1.0\r\n\r\n")
        await gone_or(peer)
        await gone(server)
    assert [entry["log_level"] for entry in logs] == ["debug"]
    # One too many is not told in clear what it would not understand.
    first = await dial(server.ports[0])
    await asyncio.sleep(0.02)
    second = await dial(server.ports[0])
    assert b"full" not in await gone_or(second)
    first.close()


async def gone_or(peer: Peer) -> bytes:
    """All that still comes."""
    try:
        return await peer.read_all()
    except ConnectionResetError:
        return b""


async def test_stop_asks_waits_and_cuts(start: Start) -> None:
    asked = asyncio.Event()
    cut: list[str] = []

    async def handler(connection: Connection) -> None:
        name = await connection.receive(5)
        await asked.wait()
        if name == b"obedient":
            connection.send(b"bye")
            return
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append("stubborn")
            raise

    server = await start(handler=handler)
    port = server.ports[0]
    obedient, stubborn = await dial(port), await dial(port)
    await obedient.send(b"obedient")
    await stubborn.send(b"stubborn")
    await asyncio.sleep(0.02)
    began = time.monotonic()
    stopping = asyncio.ensure_future(server.stop(0.2, asked.set))
    assert await obedient.read_all() == b"bye"
    obedient.close()
    with pytest.raises(ConnectionRefusedError):
        await dial(port)
    await stopping
    assert 0.15 < time.monotonic() - began < 2
    assert cut == ["stubborn"]
    assert server.connections == 0
    assert await gone_or(stubborn) == b""


async def test_stop_with_nobody_there_is_immediate(start: Start) -> None:
    server = await start()
    began = time.monotonic()
    await server.stop(10)
    assert time.monotonic() - began < 0.5


async def test_a_handshake_during_stop_begins_no_session(start: Start, files: CertificateFiles) -> None:
    served: list[Connection] = []

    async def handler(connection: Connection) -> None:
        served.append(connection)

    server = await start(Listener("127.0.0.1", 0, Certificates([files]).context), handler=handler)
    peer = await dial(server.ports[0])
    await asyncio.sleep(0.02)
    stopping = asyncio.ensure_future(server.stop(5))
    await asyncio.sleep(0.02)

    def shake() -> None:
        peer.sock.setblocking(True)
        with client_context(verify=False).wrap_socket(peer.sock) as tls:
            tls.recv(10)

    with contextlib.suppress(OSError):
        await asyncio.to_thread(shake)
    await stopping
    assert served == []


async def test_a_port_in_use_is_an_error_and_lets_go_of_the_others(start: Start) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        free = bind("127.0.0.1", 0)
        port = free.getsockname()[1]
        free.close()
        server = Server(echo)
        with pytest.raises(OSError):
            await server.start([Listener("127.0.0.1", port), Listener("127.0.0.1", taken.getsockname()[1])])
        await asyncio.sleep(0.01)
        bind("127.0.0.1", port).close()
        assert server.ports == []


async def test_workers_share_a_port(start: Start) -> None:
    first = await start(reuse_port=True)
    second = await start(Listener("127.0.0.1", first.ports[0]), reuse_port=True)
    peers = [await dial(first.ports[0]) for _ in range(40)]
    for peer in peers:
        await peer.read()
    assert first.connections + second.connections == 40
    assert first.connections and second.connections
    for peer in peers:
        peer.close()


# Behind a load balancer.


async def test_the_client_behind_a_proxy(start: Start) -> None:
    server = await start(Listener("127.0.0.1", 0, proxies=LOOPBACK))
    peer = await dial(server.ports[0])
    await peer.send(HEADER[:10])
    await asyncio.sleep(0.03)
    await peer.send(HEADER[10:] + b"first words")
    got = b""
    while len(got) < 26:
        got += await peer.read()
    assert got == b"192.0.2.7 4711\nfirst words"
    peer.close()
    # A health check of the balancer itself keeps its own address.
    checker = await dial(server.ports[0])
    await checker.send(b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00")
    assert (await checker.read()).startswith(b"127.0.0.1 ")
    checker.close()
    await gone(server)


async def test_clients_behind_a_proxy_are_counted_one_by_one(start: Start) -> None:
    server = await start(Listener("127.0.0.1", 0, proxies=LOOPBACK), limits=Limits(per_address=1), reject=b"full\n")
    answers = []
    peers = [await dial(server.ports[0]) for _ in range(3)]
    for peer, header in zip(peers, (HEADER, HEADER.replace(b".7", b".8"), HEADER), strict=True):
        await peer.send(header)
        answers.append(await peer.read())
    assert answers == [b"192.0.2.7 4711\n", b"192.0.2.8 4711\n", b"full\n"]


async def test_tls_behind_a_proxy(start: Start, files: CertificateFiles) -> None:
    server = await start(Listener("127.0.0.1", 0, Certificates([files]).context, LOOPBACK))

    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", server.ports[0]), 5) as sock:
            # In one segment with the ClientHello.
            sock.sendall(HEADER)
            with client_context(verify=False).wrap_socket(sock, server_hostname="a.test") as tls:
                return tls.recv(100)

    assert await asyncio.to_thread(talk) == b"192.0.2.7 4711\n"
    await gone(server)


@pytest.mark.parametrize("what", [b"EHLO me\r\n", b"PROXY TCP4 x\r\n", b"", b"PROXY", b"PROXY " + b"x" * 200])
async def test_hostile_headers_end_the_connection_in_time(
    start: Start, what: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "HEADER_SECONDS", 0.1)
    server = await start(Listener("127.0.0.1", 0, proxies=LOOPBACK))
    peers = [await dial(server.ports[0]) for _ in range(3)]
    for peer in peers:
        await peer.send(what)
    peers[1].sock.shutdown(socket.SHUT_WR)
    peers[2].reset()
    with structlog.testing.capture_logs() as logs:
        for peer in peers[:2]:
            assert await gone_or(peer) == b""
        await asyncio.sleep(0.01)
    assert {entry["event"] for entry in logs} <= {"proxy.refused"}
    await gone(server)


async def test_only_trusted_networks_may_be_proxies(start: Start) -> None:
    server = await start(Listener("127.0.0.1", 0, proxies=(ipaddress.ip_network("127.0.0.8/32"),)))
    stranger = await dial(server.ports[0], "127.0.0.9")
    await stranger.send(HEADER)
    assert await gone_or(stranger) == b""
    trusted = await dial(server.ports[0], "127.0.0.8")
    await trusted.send(HEADER)
    assert await trusted.read() == b"192.0.2.7 4711\n"


async def test_headers_that_wait_are_bounded_and_cut_at_stop(start: Start) -> None:
    server = await start(Listener("127.0.0.1", 0, proxies=LOOPBACK), limits=Limits(total=2))
    waiting = [await dial(server.ports[0]) for _ in range(2)]
    await asyncio.sleep(0.02)
    assert await gone_or(await dial(server.ports[0])) == b""
    await server.stop(0)
    for peer in waiting:
        assert await gone_or(peer) == b""


async def test_a_proxy_listener_survives_the_end_of_file_descriptors(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "PAUSE_SECONDS", 0.1)
    server = await start(Listener("127.0.0.1", 0, proxies=LOOPBACK))
    peers = [await dial(server.ports[0]) for _ in range(2)]
    await asyncio.sleep(0.02)
    extra = socket.socket()
    extra.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_next_descriptor(), hard))
        with structlog.testing.capture_logs() as logs:
            await asyncio.get_running_loop().sock_connect(extra, ("127.0.0.1", server.ports[0]))
            began = time.process_time()
            await asyncio.sleep(0.35)
            # It does not spin meanwhile.
            assert time.process_time() - began < 0.1
        assert 2 <= [entry["event"] for entry in logs].count("accept.exhausted") <= 5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    late = Peer(extra)
    await late.send(HEADER)
    assert await late.read() == b"192.0.2.7 4711\n"
    for peer in (*peers, late):
        peer.close()


async def test_a_plain_listener_survives_it_too(start: Start) -> None:
    server = await start()
    extra = socket.socket()
    extra.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_next_descriptor(), hard))
        await asyncio.get_running_loop().sock_connect(extra, ("127.0.0.1", server.ports[0]))
        await asyncio.sleep(0.05)
        assert server.connections == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    extra.close()
    # asyncio takes a second's rest.
    later = await dial(server.ports[0])
    assert (await later.read()).startswith(b"127.0.0.1")
    later.close()


def _next_descriptor() -> int:
    """What the system would give out next."""
    number = os.dup(0)
    os.close(number)
    return number


async def test_a_refused_tls_version_is_counted_not_logged(start: Start, files: CertificateFiles) -> None:
    server = await start(Listener("127.0.0.1", 0, Certificates([files]).context))

    def shake() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=_other_authority())
        with socket.create_connection(("127.0.0.1", server.ports[0]), 5) as sock:
            context.wrap_socket(sock, server_hostname="a.test").recv(1)

    with structlog.testing.capture_logs() as logs, pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(shake)
    await gone(server)
    assert {entry["log_level"] for entry in logs} <= {"debug"}


def _other_authority() -> str:
    from tests.world.certificates import Authority

    return Authority().pem.decode()
