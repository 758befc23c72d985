import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from everpost.core.errors import TryLater
from everpost.net.connect import CannotConnect, connect
from everpost.net.connection import Connection
from everpost.net.listen import Server
from tests.world.loopback import free_address, free_port


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async def handler(connection: Connection) -> None:
        connection.send(f"{connection.local.host} {connection.peer.host}".encode())

    from everpost.net.listen import Listener

    server = Server(handler)
    await server.start([Listener("127.0.0.1", 0)])
    yield server
    await server.stop(0)


async def test_the_first_address_that_answers(server: Server) -> None:
    dead = free_address()
    connection = await connect([dead, "127.0.0.1", dead], server.ports[0], 1.0)
    assert await connection.receive(5) == b"127.0.0.1 127.0.0.1"
    assert (connection.peer.host, connection.peer.port) == ("127.0.0.1", server.ports[0])
    await connection.close()


async def test_the_local_address_is_ours_to_choose(server: Server) -> None:
    connection = await connect(["127.0.0.1"], server.ports[0], 1.0, source="127.0.0.77")
    assert await connection.receive(5) == b"127.0.0.1 127.0.0.77"
    await connection.close()
    with pytest.raises(CannotConnect, match="cannot be reached from"):
        await connect(["::1"], server.ports[0], 1.0, source="127.0.0.77")
    # An address this machine does not have.
    with pytest.raises(CannotConnect):
        await connect(["127.0.0.1"], server.ports[0], 1.0, source="192.0.2.1")


async def test_nobody_answers() -> None:
    host = free_address()
    port = free_port(host)
    with pytest.raises(CannotConnect, match=f"no connection to {host}") as caught:
        await connect([host], port, 1.0)
    assert isinstance(caught.value, TryLater)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.status == "4.4.1"
    with pytest.raises(CannotConnect, match="no address"):
        await connect([], port, 1.0)
    with pytest.raises(CannotConnect):
        await connect(["not an address"], port, 1.0)


async def test_each_address_has_a_time_limit(server: Server) -> None:
    # A full backlog drops what comes next: the connection neither stands nor fails.
    with socket.socket() as full:
        full.bind((free_address(), 0))
        full.listen(0)
        host, port = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((host, port))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        with pytest.raises(CannotConnect, match="no answer"):
            await connect([host, host], port, 0.1)
        assert 0.15 < time.monotonic() - began < 1.0
        for filler in fillers:
            filler.close()
