"""Pumps a protocol machine: bytes in, events to the session, bytes out. One task per connection."""

import asyncio
import ssl
from typing import Any, Protocol

from everpost.core.log import logger
from everpost.net.connection import Connection, ConnectionLost

log = logger("net")

# A peer that takes nothing for so long is gone (seconds).
SEND_SECONDS = 300.0
# After so many events in a row what was said is sent and other sessions get their turn.
TURN_EVENTS = 64


class Machine(Protocol):
    """A sans-IO protocol."""

    def receive_data(self, data: bytes) -> None:
        """Bytes from the peer."""
        ...

    def receive_eof(self) -> None:
        """The peer will send nothing more."""
        ...

    def next_event(self) -> Any:
        """What happened, or None until more bytes come (or the last event is answered)."""
        ...

    def data_to_send(self) -> bytes:
        """Bytes for the peer, given out once."""
        ...


class Session(Protocol):
    """What answers a machine's events; it holds the machine and the connection itself."""

    finished: bool
    """Set it: what is left is sent and the connection closed."""
    upgrade: ssl.SSLContext | None
    """Set it: what is left is sent, TLS begins, `tls_started` is called."""

    async def start(self) -> None:
        """The connection stands: greet."""
        ...

    async def handle(self, event: Any) -> None:
        """Answer one event."""
        ...

    async def woken(self) -> None:
        """Someone called `connection.wake()`."""
        ...

    async def idle(self) -> bool:
        """`patience()` seconds passed without bytes: whether to go on waiting."""
        ...

    def patience(self) -> float:
        """For how many seconds the peer may say nothing now."""
        ...

    async def tls_started(self) -> None:
        """TLS protects the connection now."""
        ...

    async def closed(self) -> None:
        """The end, whatever its reason; called once."""
        ...


async def drive(connection: Connection, machine: Machine, session: Session) -> None:
    """Run a session to its end. Faults of the session are logged, not raised; cancellation passes through."""
    try:
        await session.start()
        while True:
            await _handle_all(connection, machine, session)
            await _send(connection, machine)
            if session.finished:
                break
            if session.upgrade is not None:
                context, session.upgrade = session.upgrade, None
                await connection.start_tls(context)
                await session.tls_started()
                continue
            if not await _wait(connection, machine, session):
                break
    except ConnectionLost:
        pass
    except asyncio.CancelledError:
        connection.abort()
        raise
    except Exception:
        _broken(connection, session)
        connection.abort()
    finally:
        await _end(connection, session)


async def _handle_all(connection: Connection, machine: Machine, session: Session) -> None:
    turn = 0
    while not session.finished and session.upgrade is None:
        event = machine.next_event()
        if event is None:
            return
        await session.handle(event)
        turn += 1
        if turn == TURN_EVENTS:
            # A peer that pipelines without end and without reading holds neither the worker nor its memory.
            turn = 0
            await _send(connection, machine)
            await asyncio.sleep(0)


async def _send(connection: Connection, machine: Machine) -> None:
    output = machine.data_to_send()
    if output:
        connection.send(output)
        await connection.drain(SEND_SECONDS)


async def _wait(connection: Connection, machine: Machine, session: Session) -> bool:
    """Wait for bytes, a wake-up or too long a silence; False at the end."""
    try:
        data = await connection.receive(session.patience())
    except TimeoutError:
        going_on = await session.idle()
        if not going_on:
            await _send(connection, machine)
        return going_on
    if data is None:
        await session.woken()
    elif data:
        machine.receive_data(data)
    else:
        machine.receive_eof()
        await _handle_all(connection, machine, session)
        await _send(connection, machine)
        return False
    return True


async def _end(connection: Connection, session: Session) -> None:
    try:
        await session.closed()
    except Exception:
        _broken(connection, session)
    finally:
        await connection.close()


def _broken(connection: Connection, session: Session) -> None:
    log.exception(
        "session.broken", connection=connection.number, peer=connection.peer.host, session=type(session).__name__
    )
