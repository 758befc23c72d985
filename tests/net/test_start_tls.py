import asyncio
import hashlib
import logging
import socket
import ssl

import pytest

from everpost.net import connection as module
from everpost.net.connection import HANDSHAKES_FAILED, Connection, ConnectionLost
from everpost.net.tls import CertificateFiles, Certificates, client_context
from tests.net.conftest import Pair, Peer, Write


@pytest.fixture
def certificates(files: CertificateFiles) -> Certificates:
    return Certificates([files])


def _client(peer: Peer, context: ssl.SSLContext, name: str | None = "a.test") -> ssl.SSLSocket:
    """A client no one here wrote; blocking, so to be run in a thread."""
    peer.sock.setblocking(True)
    peer.sock.settimeout(5)
    return context.wrap_socket(peer.sock, server_hostname=name)


async def test_bytes_pass_both_ways_under_tls(pair: Pair, certificates: Certificates) -> None:
    connection, peer = await pair()

    def talk() -> bytes:
        with _client(peer, client_context(verify=False)) as tls:
            tls.sendall(b"x" * 500_000)
            return tls.recv(100)

    client = asyncio.ensure_future(asyncio.to_thread(talk))
    await connection.start_tls(certificates.context)
    assert connection.tls is not None
    assert connection.tls.version == "TLSv1.3"
    assert connection.tls.cipher.startswith("TLS_")
    assert connection.tls.server_name == "a.test"
    got = 0
    while got < 500_000:
        got += len(await connection.receive(5) or b"")
    connection.send(b"thanks")
    assert await client == b"thanks"
    assert await connection.receive(5) == b""
    await connection.close()
    assert connection.is_lost


async def test_the_client_side(pair: Pair, certificates: Certificates) -> None:
    server, peer = await pair()
    _, client = await asyncio.get_running_loop().create_connection(Connection, sock=peer.sock.dup())
    await asyncio.gather(
        server.start_tls(certificates.context),
        client.start_tls(client_context(verify=False), server_side=False, server_hostname="a.test"),
    )
    client.send(b"hello")
    assert await server.receive(5) == b"hello"
    assert client.tls is not None and client.tls.server_name == "a.test"
    for kind in ("tls-server-end-point", "tls-unique", "tls-exporter"):
        assert client.channel_binding(kind) == server.channel_binding(kind)
    assert client.channel_binding("tls-server-end-point") is not None
    await asyncio.gather(client.close(), server.close())


async def test_what_was_said_in_clear_is_forgotten(pair: Pair, certificates: Certificates) -> None:
    connection, peer = await pair()
    await peer.send(b"STARTTLS\r\n")
    assert await connection.receive(5) == b"STARTTLS\r\n"
    await peer.send(b"MAIL FROM:<evil@x>\r\n")
    await asyncio.sleep(0.02)

    def talk() -> bytes:
        with _client(peer, client_context(verify=False)) as tls:
            tls.sendall(b"EHLO good\r\n")
            return tls.recv(10)

    client = asyncio.ensure_future(asyncio.to_thread(talk))
    await connection.start_tls(certificates.context)
    assert await connection.receive(5) == b"EHLO good\r\n"
    connection.send(b"250 ok\r\n")
    await client
    await connection.close()


async def test_a_full_connection_can_start_tls(
    pair: Pair, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNREAD", 1000)
    connection, peer = await pair()
    await peer.send(b"x" * 2000)
    await asyncio.sleep(0.05)
    assert connection._paused

    def talk() -> None:
        with _client(peer, client_context(verify=False)) as tls:
            tls.sendall(b"through")

    client = asyncio.ensure_future(asyncio.to_thread(talk))
    await connection.start_tls(certificates.context)
    assert await connection.receive(5) == b"through"
    await client
    await connection.close()


def _failures() -> float:
    return float(HANDSHAKES_FAILED.labels("server")._value.get())


@pytest.mark.parametrize("how", ["silent", "garbage", "gone", "reset", "old"])
async def test_a_failed_handshake_ends_the_connection_at_once(
    pair: Pair, certificates: Certificates, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection, peer = await pair()
    before = _failures()
    starting = asyncio.ensure_future(connection.start_tls(certificates.context, 0.2 if how == "silent" else 5.0))
    await asyncio.sleep(0.01)
    with caplog.at_level(logging.WARNING):
        client: asyncio.Task[ssl.SSLSocket] | None = None
        match how:
            case "garbage":
                await peer.send(b"EHLO this is not TLS\r\n" * 10)
            case "gone":
                peer.close()
            case "reset":
                peer.reset()
            case "old":
                old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
                old.set_ciphers("ALL:@SECLEVEL=0")
                with pytest.warns(DeprecationWarning):
                    old.minimum_version = ssl.TLSVersion.TLSv1
                    old.maximum_version = ssl.TLSVersion.TLSv1_1
                client = asyncio.ensure_future(asyncio.to_thread(_client, peer, old))
        async with asyncio.timeout(3):
            with pytest.raises(ConnectionLost) as caught:
                await starting
            assert caught.value.status == "4.7.0"
            assert connection.is_lost
            with pytest.raises(ConnectionLost):
                await connection.receive(5)
            await connection.close()
            if client is not None:
                with pytest.raises(OSError):
                    await client
        await asyncio.sleep(0.01)
    assert _failures() == before + 1
    assert caplog.records == []


async def test_a_cancelled_handshake_leaves_nothing_open(pair: Pair, certificates: Certificates) -> None:
    connection, peer = await pair()
    starting = asyncio.ensure_future(connection.start_tls(certificates.context))
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert connection.is_lost
    assert await peer.read_all() == b""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_channel_bindings_are_what_the_client_sees(
    pair: Pair, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    connection, peer = await pair()
    context = client_context(verify=False)
    context.minimum_version = context.maximum_version = version
    assert connection.channel_binding("tls-server-end-point") is None

    def talk() -> tuple[bytes, bytes | None]:
        tls = _client(peer, context)
        der = tls.getpeercert(binary_form=True)
        assert der is not None
        seen = hashlib.sha256(der).digest(), tls.get_channel_binding("tls-unique")
        tls.close()
        return seen

    client = asyncio.ensure_future(asyncio.to_thread(talk))
    await connection.start_tls(certificates.context)
    end_point, unique = await client
    assert connection.channel_binding("tls-server-end-point") == end_point
    assert certificates.end_point(connection.certificate_context) == end_point
    assert connection.channel_binding("tls-unique") == (unique if version is ssl.TLSVersion.TLSv1_2 else None)
    assert connection.channel_binding("tls-anything") is None
    assert version is ssl.TLSVersion.TLSv1_3 or unique


async def test_bindings_of_old_connections_outlive_a_reload(
    pair: Pair, write_certificate: Write, files: CertificateFiles
) -> None:
    own = write_certificate("b.test")
    certificates = Certificates([own])

    async def open_one() -> bytes | None:
        connection, peer = await pair()
        client = asyncio.ensure_future(asyncio.to_thread(_client, peer, client_context(verify=False), "b.test"))
        await connection.start_tls(certificates.context)
        kept.append((connection, await client))
        return connection.channel_binding("tls-server-end-point")

    kept: list[tuple[Connection, socket.socket]] = []
    first = await open_one()
    write_certificate("b.test", folder=own.certificate.parent)
    certificates.reload()
    second = await open_one()
    assert first != second
    assert kept[0][0].channel_binding("tls-server-end-point") == first
    for _, sock in kept:
        sock.close()
