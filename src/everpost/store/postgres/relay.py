"""Wake-ups between nodes: LISTEN and NOTIFY on a connection of their own, coalesced."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import asyncpg

from everpost.core.log import logger
from everpost.store.postgres.pool import COMMAND_SECONDS, CONNECT_SECONDS, LOST

log = logger("store")

CHANNEL = "everpost"
# PostgreSQL's own limit is 8,000 bytes (NOTIFY, "payload").
PAYLOAD_BYTES = 7_000
# Changes are gathered this long before they are sent (seconds); within one node they need no relay.
GATHER_SECONDS = 0.005
RECONNECT_SECONDS = 1.0
# Topics waiting while the database is away; beyond it the oldest are dropped, which costs latency only.
MAX_WAITING = 50_000


class PostgresRelay:
    """Implements `feed.Relay`. `run` is its life; the caller owns the task."""

    def __init__(self, url: str, node: str, receive: Callable[[dict[str, int]], None]) -> None:
        """`node` names the sender, whose own workers heard the change already; `receive` gets the others'."""
        self._url = url
        self._node = node
        self._receive = receive
        self._waiting: dict[str, int] = {}
        self._wake = asyncio.Event()

    def send(self, changes: dict[str, int]) -> None:
        for topic, value in changes.items():
            self._waiting[topic] = max(value, self._waiting.get(topic, 0))
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._wake.set()

    async def send_now(self) -> None:
        """Send what waits on a connection of its own, for a process that is about to end; failing is no harm."""
        if not self._waiting:
            return
        try:
            connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
        except (*LOST, asyncpg.PostgresError):
            return
        try:
            while self._waiting:
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, self._next_payload())
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("feed.disconnected", error=type(error).__name__)
        finally:
            connection.terminate()

    async def run(self) -> None:
        """Listen and send until cancelled, reconnecting when the database comes back."""
        while True:
            try:
                await self._run_connected()
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("feed.disconnected", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _run_connected(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
        lost = asyncio.Event()

        def end(_connection: Any) -> None:
            lost.set()
            self._wake.set()

        connection.add_termination_listener(end)
        try:
            await connection.add_listener(CHANNEL, self._heard)
            while not lost.is_set():
                await self._wake.wait()
                await asyncio.sleep(GATHER_SECONDS)
                self._wake.clear()
                while self._waiting and not lost.is_set():
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, self._next_payload())
        finally:
            connection.terminate()

    def _next_payload(self) -> str:
        lines = [self._node]
        length = len(self._node.encode())
        while self._waiting:
            topic = next(iter(self._waiting))
            line = f"{topic} {self._waiting[topic]}"
            length += len(line.encode()) + 1
            if length > PAYLOAD_BYTES and len(lines) > 1:
                break
            del self._waiting[topic]
            lines.append(line)
        return "\n".join(lines)

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        node, *lines = payload.split("\n")
        if node == self._node:
            return
        changes: dict[str, int] = {}
        for line in lines:
            topic, _, value = line.rpartition(" ")
            with contextlib.suppress(ValueError):
                changes[topic] = int(value)
        self._receive(changes)
