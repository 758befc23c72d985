import asyncio
import logging
import random
import ssl
from dataclasses import dataclass, field

import pytest
import structlog

from everpost.net import connection as connection_module
from everpost.net import drive as module
from everpost.net.connection import Connection
from everpost.net.drive import drive
from everpost.net.tls import CertificateFiles, Certificates, client_context
from tests.net.conftest import Pair, Peer


class Lines:
    """A machine: every line is an event, the end another."""

    def __init__(self) -> None:
        self._buffer = b""
        self._ended = False
        self._output: list[bytes] = []

    def receive_data(self, data: bytes) -> None:
        self._buffer += data

    def receive_eof(self) -> None:
        self._ended = True

    def next_event(self) -> bytes | None:
        line, end, rest = self._buffer.partition(b"\n")
        if end:
            self._buffer = rest
            return line
        if self._ended:
            self._ended = False
            return b"<end>"
        return None

    def data_to_send(self) -> bytes:
        data = b"".join(self._output)
        self._output.clear()
        return data

    def say(self, data: bytes) -> None:
        self._output.append(data)

    def forget(self) -> None:
        self._buffer = b""


@dataclass
class Echo:
    """A session that answers each line with itself, and obeys some."""

    connection: Connection
    machine: Lines = field(default_factory=Lines)
    context: ssl.SSLContext | None = None
    limit: float = 5.0
    idles: list[bool] = field(default_factory=list)
    finished: bool = False
    upgrade: ssl.SSLContext | None = None
    calls: list[str] = field(default_factory=list)

    async def start(self) -> None:
        self.machine.say(b"hello\n")

    async def handle(self, event: bytes) -> None:
        self.calls.append(event.decode())
        match event:
            case b"quit":
                self.finished = True
            case b"tls":
                self.upgrade = self.context
            case b"break":
                raise RuntimeError("secret")
            case b"hang":
                await asyncio.sleep(60)
        self.machine.say(event + b"!\n")

    async def woken(self) -> None:
        self.machine.say(b"woken\n")

    def patience(self) -> float:
        return self.limit

    async def idle(self) -> bool:
        self.machine.say(b"idle\n")
        return self.idles.pop(0)

    async def tls_started(self) -> None:
        self.machine.forget()
        self.calls.append("tls started")

    async def closed(self) -> None:
        self.calls.append("closed")

    def run(self) -> "asyncio.Task[None]":
        return asyncio.ensure_future(drive(self.connection, self.machine, self))


async def test_a_session_from_greeting_to_end(pair: Pair) -> None:
    connection, peer = await pair()
    session = Echo(connection)
    task = session.run()
    assert await peer.read() == b"hello\n"
    await peer.send(b"one\ntw")
    assert await peer.read() == b"one!\n"
    await peer.send(b"o\nquit\nnever\n")
    assert await peer.read_all() == b"two!\nquit!\n"
    peer.close()
    await task
    assert session.calls == ["one", "two", "quit", "closed"]
    assert connection.is_lost


async def test_answers_to_all_that_came_go_out_in_one_piece(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, peer = await pair()
    sent: list[bytes] = []
    send = connection.send

    def note(data: bytes) -> None:
        sent.append(data)
        send(data)

    monkeypatch.setattr(connection, "send", note)
    session = Echo(connection)
    await peer.send(b"".join(b"%d\n" % number for number in range(20)) + b"quit\n")
    await asyncio.sleep(0.01)
    task = session.run()
    await peer.read_all()
    peer.close()
    await task
    assert len(sent) == 2
    assert sent[1].count(b"\n") == 21


async def test_the_end_of_input_is_an_event_and_can_be_answered(pair: Pair) -> None:
    connection, peer = await pair()
    session = Echo(connection)
    task = session.run()
    await peer.send(b"one\nhalf")
    peer.sock.shutdown(1)
    assert await peer.read_all() == b"hello\none!\n<end>!\n"
    await task
    assert session.calls == ["one", "<end>", "closed"]


async def test_a_wake_up_reaches_the_session(pair: Pair) -> None:
    connection, peer = await pair()
    task = Echo(connection).run()
    assert await peer.read() == b"hello\n"
    connection.wake()
    assert await peer.read() == b"woken\n"
    peer.close()
    await task


async def test_silence_is_the_session_s_to_judge(pair: Pair) -> None:
    connection, peer = await pair()
    session = Echo(connection, limit=0.02, idles=[True, True, False])
    task = session.run()
    assert await peer.read_all() == b"hello\nidle\nidle\nidle\n"
    peer.close()
    await task
    assert session.calls == ["closed"]


async def test_tls_begins_where_the_session_says(pair: Pair, files: CertificateFiles) -> None:
    connection, peer = await pair()
    session = Echo(connection, context=Certificates([files]).context)
    task = session.run()
    assert await peer.read() == b"hello\n"
    # What is smuggled in behind the command is never handled.
    await peer.send(b"tls\nsmuggled\n")
    assert await peer.read() == b"tls!\n"

    def talk() -> bytes:
        peer.sock.setblocking(True)
        with client_context(verify=False).wrap_socket(peer.sock) as tls:
            tls.sendall(b"safe\nquit\n")
            data = b""
            while piece := tls.recv(100):
                data += piece
            return data

    assert await asyncio.to_thread(talk) == b"safe!\nquit!\n"
    await task
    assert session.calls == ["tls", "tls started", "safe", "quit", "closed"]


async def test_a_failed_handshake_ends_the_session(pair: Pair, files: CertificateFiles) -> None:
    connection, peer = await pair()
    session = Echo(connection, context=Certificates([files]).context)
    task = session.run()
    await peer.send(b"tls\n")
    await peer.read()
    await asyncio.sleep(0.02)
    await peer.send(b"this is not a ClientHello\n")
    await task
    assert session.calls == ["tls", "closed"]


@pytest.mark.parametrize("where", ["start", "handle", "woken", "idle", "patience", "closed"])
async def test_a_fault_of_the_session_is_logged_and_ends_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    connection, peer = await pair()
    session = Echo(connection, limit=0.05, idles=[False])
    closed: list[int] = []

    async def fail(*_: object) -> None:
        if where == "closed":
            closed.append(1)
        raise RuntimeError("secret")

    def fail_at_once() -> float:
        raise RuntimeError("secret")

    monkeypatch.setattr(session, where, fail_at_once if where == "patience" else fail)
    if where == "woken":
        connection.wake()
    if where == "handle":
        await peer.send(b"line\n")
    monkeypatch.setattr(connection_module, "LINGER_SECONDS", 0.02)
    with structlog.testing.capture_logs() as logs:
        await session.run()
    assert [entry["event"] for entry in logs] == ["session.broken"]
    assert logs[0]["connection"] == connection.number
    assert session.calls == (["closed"] if where != "closed" else []) and len(closed) == (where == "closed")
    assert connection.is_lost
    assert b"secret" not in await _rest(peer)


async def _rest(peer: Peer) -> bytes:
    try:
        return await peer.read_all()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("busy", [False, True])
async def test_cancelling_ends_it_and_passes_through(pair: Pair, busy: bool) -> None:
    connection, peer = await pair()
    session = Echo(connection)
    task = session.run()
    if busy:
        await peer.send(b"hang\n")
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert session.calls == (["hang", "closed"] if busy else ["closed"])
    assert connection.is_lost


async def test_a_lost_peer_is_no_fault(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    connection, peer = await pair()
    session = Echo(connection)
    task = session.run()
    await peer.read()
    with caplog.at_level(logging.INFO), structlog.testing.capture_logs() as logs:
        peer.reset()
        await task
    assert session.calls == ["closed"]
    assert logs == [] and caplog.records == []


async def test_pipelining_without_end_starves_nobody(pair: Pair) -> None:
    connection, peer = await pair()
    await peer.send(b"x\n" * 50_000)
    await asyncio.sleep(0.05)
    session = Echo(connection)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    another = asyncio.ensure_future(other())
    task = session.run()
    got = 0
    while got < 50_000 * 3:
        got += len(await peer.read(1 << 20))
    assert turns > 50_000 / module.TURN_EVENTS
    another.cancel()
    peer.close()
    await task


async def test_a_peer_that_pipelines_and_does_not_read_is_held_and_then_cut(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.2)
    connection, peer = await pair()

    @dataclass
    class Loud(Echo):
        async def handle(self, event: bytes) -> None:
            self.calls.append("line")
            self.machine.say(b"x" * 10_000)

    session = Loud(connection)
    await peer.send(b"x\n" * 10_000)
    await session.run()
    # 100 MB were asked for; what was made fits the buffers of the system and one turn.
    assert len(session.calls) * 10_000 < 20_000_000
    assert session.calls[-1] == "closed"
    assert connection.is_lost


@pytest.mark.parametrize("seed", range(3))
async def test_where_the_bytes_are_cut_makes_no_difference(pair: Pair, seed: int) -> None:
    chance = random.Random(seed)
    connection, peer = await pair()
    session = Echo(connection)
    task = session.run()
    data = b"".join(b"%d\n" % chance.randrange(10**9) for _ in range(30)) + b"quit\n"
    rest = data
    while rest:
        size = chance.randrange(1, 40)
        await peer.send(rest[:size])
        rest = rest[size:]
        await asyncio.sleep(0.001 * chance.randrange(2))
    assert await peer.read_all() == b"hello\n" + data.replace(b"\n", b"!\n")
    peer.close()
    await task
