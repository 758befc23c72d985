"""Listening sockets: bounded, counted, behind a load balancer if need be, stopped with grace."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field

from everpost.core.errors import ProtocolError
from everpost.core.log import logger
from everpost.core.metrics import counter, gauge
from everpost.net.accept import Acceptor, Network, read_proxied
from everpost.net.connection import (
    CLOSE_SECONDS,
    HANDSHAKE_SECONDS,
    HANDSHAKES_FAILED,
    Connection,
    ConnectionLost,
    Endpoint,
)
from everpost.net.proxy import Proxied

log = logger("net")

OPEN = gauge("net", "connections_open", "Connections being served", ("server",))
REFUSED = counter("net", "connections_refused_total", "Connections over a limit", ("server",))

BACKLOG = 1024
# Whoever opens connections without end must not fill the log: one line in so many seconds.
REFUSAL_LOG_SECONDS = 10.0
# Sessions that were cut must be gone after so long.
CUT_SECONDS = 10.0

Handler = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen, and how."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    """For implicit TLS."""
    proxies: tuple[Network, ...] = ()
    """Networks whose connections begin with a PROXY header; empty for none. Others cannot connect then."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections at a time; IPv6 clients are counted by /64."""

    total: int = 10_000
    per_address: int = 100


@dataclass(slots=True)
class Server:
    """Listeners that share a handler and limits."""

    handler: Handler
    limits: Limits = Limits()
    reject: bytes = b""
    """Said to a client that is one too many, before the connection is closed (not under implicit TLS)."""
    name: str = "server"
    ports: list[int] = field(default_factory=list)
    """The ports in use, in the order of the listeners."""
    _servers: list[asyncio.Server] = field(default_factory=list)
    _acceptors: list[Acceptor] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _by_address: Counter[str] = field(default_factory=Counter)
    _closed: bool = False
    _refused: int = 0
    _told_at: float = float("-inf")

    @property
    def connections(self) -> int:
        """How many connections are being served."""
        return len(self._tasks)

    async def start(self, listeners: Sequence[Listener], *, reuse_port: bool = False) -> None:
        """Begin to listen. Raises OSError if a port cannot be had; then none is listened to."""
        self._closed = False
        try:
            for listener in listeners:
                sock = bind(listener.host, listener.port, reuse_port=reuse_port)
                self.ports.append(sock.getsockname()[1])
                await self._listen(sock, listener)
        except BaseException:
            self.close()
            raise

    async def _listen(self, sock: socket.socket, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        if listener.tls is None and not listener.proxies:
            server = await loop.create_server(lambda: Connection(self._begin), sock=sock, backlog=BACKLOG)
            self._servers.append(server)
            return
        # A handshake that is started after the event loop has begun to read may have lost its first bytes.
        acceptor = Acceptor(sock, lambda accepted, peer: self._take(accepted, peer, listener))
        self._acceptors.append(acceptor)
        acceptor.start(BACKLOG)

    def close(self) -> None:
        """Take no new connections."""
        self._closed = True
        for server in self._servers:
            server.close()
        for acceptor in self._acceptors:
            acceptor.close()
        self._servers.clear()
        self._acceptors.clear()
        self.ports.clear()

    async def stop(self, grace: float, ask: Callable[[], None] | None = None) -> None:
        """Take no new connections, `ask` the sessions to end, wait `grace` seconds for them, then cut them."""
        self.close()
        if ask is not None:
            ask()
        tasks = set(self._tasks)
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CUT_SECONDS)
        # The sockets of cut connections close in the next turn of the loop.
        await asyncio.sleep(0)

    def _begin(self, connection: Connection) -> None:
        """A connection in clear stands."""
        key = address_key(connection.peer.host)
        if self._closed:
            # Accepted before `close`, standing after it: nobody would ask its session to end.
            connection.abort()
        elif self._is_full() or self._has_enough(key):
            self._note_refusal(connection.peer.host)
            connection.send(self.reject)
            connection.finish()
        else:
            task = self._start(self._serve(connection))
            self._count(task, key)
            # Also if it is cut before its first step.
            task.add_done_callback(lambda _: connection.abort())

    def _take(self, sock: socket.socket, peer: str, listener: Listener) -> None:
        """A socket was accepted for TLS or from a load balancer."""
        if self._is_full() or (not listener.proxies and self._has_enough(address_key(peer))):
            self._note_refusal(peer)
            sock.close()
            return
        task = self._start(self._welcome(sock, peer, listener))
        task.add_done_callback(lambda _: sock.close())

    async def _welcome(self, sock: socket.socket, peer: str, listener: Listener) -> None:
        """Read the PROXY header, shake hands, serve."""
        proxied = Proxied(None, None, 0)
        if listener.proxies:
            try:
                proxied = await read_proxied(sock, peer, listener.proxies)
            except (ProtocolError, OSError, TimeoutError) as error:
                log.info("proxy.refused", server=self.name, peer=peer, reason=str(error))
                return
        client = peer if proxied.source is None else proxied.source[0]
        key = address_key(client)
        if self._has_enough(key):
            self._note_refusal(client)
            if listener.tls is None:
                with contextlib.suppress(OSError):
                    sock.send(self.reject)
            return
        task = asyncio.current_task()
        assert task is not None
        self._count(task, key)
        connection = await _connect(sock, listener.tls)
        if connection is None:
            log.debug("handshake.failed", server=self.name, peer=client)
            return
        if proxied.source is not None and proxied.target is not None:
            connection.peer = Endpoint(*proxied.source)
            connection.local = Endpoint(*proxied.target)
        try:
            # As in `_begin`.
            if not self._closed:
                await self._serve(connection)
        finally:
            connection.abort()

    async def _serve(self, connection: Connection) -> None:
        try:
            await self.handler(connection)
            await connection.close()
        except ConnectionLost as error:
            log.debug("connection.lost", server=self.name, peer=connection.peer.host, reason=error.text)
        except Exception:
            log.exception(
                "connection.broken", server=self.name, connection=connection.number, peer=connection.peer.host
            )

    def _start(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        OPEN.labels(self.name).inc()
        task.add_done_callback(lambda _: OPEN.labels(self.name).dec())
        return task

    def _count(self, task: "asyncio.Task[None]", key: str) -> None:
        """The task serves this client until it is done."""
        self._by_address[key] += 1

        def leave(_: object) -> None:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]

        task.add_done_callback(leave)

    def _is_full(self) -> bool:
        return len(self._tasks) >= self.limits.total

    def _has_enough(self, key: str) -> bool:
        return self._by_address[key] >= self.limits.per_address

    def _note_refusal(self, peer: str) -> None:
        REFUSED.labels(self.name).inc()
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + REFUSAL_LOG_SECONDS:
            log.warning("connections.refused", server=self.name, peer=peer, count=self._refused)
            self._told_at = now
            self._refused = 0


async def _connect(sock: socket.socket, tls: ssl.SSLContext | None) -> Connection | None:
    """Give an accepted socket to the event loop; None if the handshake fails."""
    limits = {} if tls is None else {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": CLOSE_SECONDS}
    # Ours, because uvloop gives back its own TLS object in place of the protocol.
    connection = Connection()
    try:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock, ssl=tls, **limits)
    except (OSError, TimeoutError):
        if tls is not None:
            HANDSHAKES_FAILED.labels("server").inc()
        return None
    return connection


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A TCP socket bound to an address, not yet listening. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it: a session whose peer vanished without a word ends some day.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def address_key(host: str) -> str:
    """What counts as one client: an IPv4 address, the /64 of an IPv6 address."""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
