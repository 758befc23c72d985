import asyncio
import time

import pytest

from everpost.net import connection as module
from everpost.net.connection import MAX_UNREAD, Connection, ConnectionLost
from tests.net.conftest import Pair


async def test_bytes_come_as_soon_as_any_are_there(pair: Pair) -> None:
    connection, peer = await pair()
    await peer.send(b"hello")
    assert await connection.receive(5) == b"hello"
    waiting = asyncio.ensure_future(connection.receive(5))
    await asyncio.sleep(0.01)
    await peer.send(b"again")
    assert await waiting == b"again"


async def test_the_end_of_the_stream_is_empty_bytes_again_and_again(pair: Pair) -> None:
    connection, peer = await pair()
    await peer.send(b"last")
    peer.close()
    assert await connection.receive(5) == b"last"
    assert [await connection.receive(5), await connection.receive(5)] == [b"", b""]


async def test_a_reset_is_a_loss_and_not_an_end(pair: Pair) -> None:
    connection, peer = await pair()
    peer.reset()
    with pytest.raises(ConnectionLost) as caught:
        await connection.receive(5)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert connection.is_lost
    with pytest.raises(ConnectionLost):
        await connection.receive(5)


async def test_the_peer_may_close_its_side_and_still_read(pair: Pair) -> None:
    connection, peer = await pair()
    peer.sock.shutdown(1)
    assert await connection.receive(5) == b""
    connection.send(b"answer")
    await connection.close()
    assert await peer.read_all() == b"answer"


async def test_receive_ends_in_time_whatever_the_limit_before(pair: Pair) -> None:
    connection, peer = await pair()
    for limit in (0.02, 5.0, 0.03, 0.0):
        if limit == 5.0:
            await peer.send(b"x")
            assert await connection.receive(limit) == b"x"
            continue
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await connection.receive(limit)
        assert limit - 0.005 <= time.monotonic() - began < limit + 0.5
    await peer.send(b"still there")
    assert await connection.receive(5) == b"still there"


async def test_receive_makes_no_task_and_hardly_a_timer(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, peer = await pair()
    armed: list[float] = []
    arm = connection._arm

    def note() -> None:
        armed.append(connection._deadline)
        arm()

    monkeypatch.setattr(connection, "_arm", note)

    async def echo() -> None:
        for _ in range(200):
            await peer.read()
            await peer.send(b"pong")

    other = asyncio.ensure_future(echo())
    await asyncio.sleep(0)
    tasks = len(asyncio.all_tasks())
    for _ in range(200):
        connection.send(b"ping")
        waiting = connection.receive(30.0)
        assert len(asyncio.all_tasks()) == tasks
        assert await waiting == b"pong"
    assert len(armed) == 1
    await other


async def test_wake_interrupts_this_wait_or_the_next(pair: Pair) -> None:
    connection, peer = await pair()
    waiting = asyncio.ensure_future(connection.receive(5))
    await asyncio.sleep(0)
    connection.wake()
    assert await waiting is None
    connection.wake()
    connection.wake()
    assert await connection.receive(5) is None
    with pytest.raises(TimeoutError):
        await connection.receive(0.02)
    connection.wake()
    await peer.send(b"bytes first")
    await asyncio.sleep(0.02)
    assert await connection.receive(5) == b"bytes first"
    assert await connection.receive(5) is None


async def test_bytes_put_back_come_again(pair: Pair) -> None:
    connection, peer = await pair()
    await peer.send(b"head tail")
    data = await connection.receive(5)
    assert data is not None
    connection.unread(data[5:])
    assert await connection.receive(5) == b"tail"


async def test_a_cancelled_receive_loses_nothing(pair: Pair) -> None:
    connection, peer = await pair()
    waiting = asyncio.ensure_future(connection.receive(5))
    await asyncio.sleep(0)
    await peer.send(b"kept")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await connection.receive(5) == b"kept"


async def test_reading_stops_while_nobody_takes_the_bytes(pair: Pair) -> None:
    connection, peer = await pair()
    total = 8_000_000
    sending = asyncio.ensure_future(peer.send(b"x" * total))
    await asyncio.sleep(0.1)
    assert not sending.done()
    # One read may go over: the loops read up to 256 KiB at a time.
    assert connection._unread <= 2 * MAX_UNREAD + 65536
    got = 0
    while got < total:
        got += len(await connection.receive(5) or b"")
    await sending


@pytest.mark.parametrize("end", ["abort", "finish"])
async def test_bytes_are_still_given_after_the_end_of_a_full_connection(pair: Pair, end: str) -> None:
    connection, peer = await pair()
    sending = asyncio.ensure_future(peer.send(b"x" * 8_000_000))
    await asyncio.sleep(0.05)
    getattr(connection, end)()
    assert len(await connection.receive(5) or b"") > MAX_UNREAD
    with pytest.raises(ConnectionLost):
        await connection.receive(5)
    with pytest.raises(OSError):
        await sending


async def test_drain_waits_for_a_slow_reader(pair: Pair) -> None:
    connection, peer = await pair()
    connection.send(b"x" * 8_000_000)
    draining = asyncio.ensure_future(connection.drain(5))
    await asyncio.sleep(0.05)
    assert not draining.done()
    got = 0
    while got < 8_000_000:
        got += len(await peer.read(1 << 20))
    await draining


async def test_a_peer_that_does_not_read_is_cut(pair: Pair) -> None:
    connection, _peer = await pair()
    connection.send(b"x" * 8_000_000)
    with pytest.raises(ConnectionLost):
        await connection.drain(0.05)
    await asyncio.sleep(0.01)
    assert connection.is_lost
    connection.send(b"into nothing")
    with pytest.raises(ConnectionLost):
        await connection.drain(0.05)


async def test_close_sends_all_that_was_handed_over(pair: Pair) -> None:
    connection, peer = await pair()
    connection.send(b"x" * 4_000_000)
    closing = asyncio.ensure_future(connection.close())
    assert len(await peer.read_all()) == 4_000_000
    peer.close()
    await closing
    assert connection.is_lost


async def test_the_last_words_reach_a_peer_that_is_still_talking(pair: Pair) -> None:
    connection, peer = await pair()
    connection.send(b"552 too much\r\n")
    closing = asyncio.ensure_future(connection.close())
    await asyncio.sleep(0.02)
    for _ in range(10):
        # With a socket closed at once the second of these would fail.
        await peer.send(b"y" * 10_000)
        await asyncio.sleep(0.001)
    assert await peer.read_all() == b"552 too much\r\n"
    peer.close()
    await closing


async def test_close_waits_for_nobody_without_end(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    silent, _silent_peer = await pair()
    full, _full_peer = await pair()
    full.send(b"x" * 8_000_000)
    talking, peer = await pair()

    async def talk() -> None:
        while True:
            await peer.send(b"y" * 100_000)

    monkeypatch.setattr(module, "MAX_LINGER", 300_000)
    talk_task = asyncio.ensure_future(talk())
    async with asyncio.timeout(2):
        await silent.close()
        await full.close(0.1)
        await talking.close()
        with pytest.raises(OSError):
            await talk_task
    assert silent.is_lost and full.is_lost and talking.is_lost


async def test_close_and_abort_may_come_twice_and_after_a_loss(pair: Pair) -> None:
    connection, peer = await pair()
    peer.reset()
    with pytest.raises(ConnectionLost):
        await connection.receive(5)
    await connection.close()
    connection.abort()
    connection.finish()
    await connection.close()
    unconnected = Connection()
    await unconnected.close()
    unconnected.abort()


async def test_closing_what_is_being_aborted_is_quick(pair: Pair) -> None:
    connection, peer = await pair()
    sending = asyncio.ensure_future(peer.send(b"x" * 8_000_000))
    await asyncio.sleep(0.05)
    assert connection._paused
    connection.abort()
    async with asyncio.timeout(0.5):
        await connection.close()
    assert connection.is_lost
    with pytest.raises(OSError):
        await sending


async def test_it_knows_both_ends(pair: Pair) -> None:
    connection, peer = await pair()
    assert (connection.peer.host, connection.peer.port) == peer.sock.getsockname()
    assert (connection.local.host, connection.local.port) == peer.sock.getpeername()
    other, _ = await pair()
    assert other.number > connection.number


@pytest.mark.parametrize(
    ("name", "host"),
    [
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8::1", 5, 0, 0), "2001:db8::1"),
        (("192.0.2.1", 5), "192.0.2.1"),
        ("/run/a.socket", ""),
        (None, ""),
    ],
)
def test_an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client(name: object, host: str) -> None:
    assert module._endpoint(name).host == host
