"""Both event loops, joined connections, certificates."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from everpost.net.connection import Connection
from everpost.net.tls import CertificateFiles, self_signed

Write = Callable[..., CertificateFiles]


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test of this folder that has to do with an event loop runs on both, unless its module says `LOOPS`."""
    wanted = getattr(item.getparent(pytest.Module).module, "LOOPS", LOOPS)  # type: ignore[union-attr]
    return {name: LOOPS[name] for name in wanted}


class Peer:
    """The other side of a connection: a bare socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def read(self, size: int = 65536) -> bytes:
        async with asyncio.timeout(5):
            return await self._loop.sock_recv(self.sock, size)

    async def read_all(self) -> bytes:
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


async def dial(port: int, source: str | None = None) -> Peer:
    sock = socket.socket()
    sock.setblocking(False)
    if source is not None:
        sock.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return Peer(sock)


Pair = Callable[[], Awaitable[tuple[Connection, Peer]]]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Makes a connection as a listener has it, and its peer."""
    loop = asyncio.get_running_loop()
    made: asyncio.Queue[Connection] = asyncio.Queue()
    server = await loop.create_server(lambda: Connection(made.put_nowait), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    peers: list[Peer] = []
    connections: list[Connection] = []

    async def make() -> tuple[Connection, Peer]:
        peers.append(await dial(port))
        connections.append(await made.get())
        return connections[-1], peers[-1]

    yield make
    for connection in connections:
        connection.abort()
    for peer in peers:
        peer.close()
    server.close()
    await asyncio.sleep(0)


@pytest.fixture(scope="session")
def write_certificate(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes a self-signed certificate for some names, perhaps over an older one."""

    def write(*names: str, folder: Path | None = None, days: int = 30) -> CertificateFiles:
        folder = folder or tmp_path_factory.mktemp("certificate")
        certificate, key = self_signed(names, time.time(), days)
        files = CertificateFiles(folder / "cert.pem", folder / "key.pem")
        files.certificate.write_bytes(certificate)
        files.key.write_bytes(key)
        return files

    return write


@pytest.fixture(scope="session")
def files(write_certificate: Write) -> CertificateFiles:
    return write_certificate("a.test")
