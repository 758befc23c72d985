"""Listening sockets: bounded, counted, behind a load balancer if need be, stopped with grace."""

import asyncio
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from everpost.core.log import logger
from everpost.core.metrics import counter, gauge
from everpost.net.accept import Network, ProxyAcceptor
from everpost.net.connection import Connection, ConnectionLost, Endpoint
from everpost.net.proxy import Proxied

log = logger("net")

OPEN = gauge("net", "connections_open", "Connections being served", ("server",))
REFUSED = counter("net", "connections_refused_total", "Connections over a limit", ("server", "reason"))

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
    _acceptors: list[ProxyAcceptor] = field(default_factory=list)
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
        if not listener.proxies:
            server = await loop.create_server(self._factory(listener, None), sock=sock, backlog=BACKLOG)
            self._servers.append(server)
            return

        async def deliver(accepted: socket.socket, proxied: Proxied) -> None:
            await loop.connect_accepted_socket(self._factory(listener, proxied), accepted)

        acceptor = ProxyAcceptor(sock, listener.proxies, self.limits.total, deliver)
        self._acceptors.append(acceptor)
        acceptor.start(BACKLOG)

    def _factory(self, listener: Listener, proxied: Proxied | None) -> Callable[[], Connection]:
        return lambda: Connection(lambda connection: self._begin(connection, listener, proxied))

    def close(self) -> None:
        """Take no new connections."""
        self._closed = True
        for server in self._servers:
            server.close()
        for acceptor in self._acceptors:
            acceptor.close()
        self._servers.clear()
        self.ports.clear()

    async def stop(self, grace: float, ask: Callable[[], None] | None = None) -> None:
        """Take no new connections, `ask` the sessions to end, wait `grace` seconds for them, then cut them."""
        self.close()
        if ask is not None:
            ask()
        tasks = self._tasks.union(*(acceptor.tasks for acceptor in self._acceptors))
        self._acceptors.clear()
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CUT_SECONDS)
        # The sockets of cut connections close in the next turn of the loop.
        await asyncio.sleep(0)

    def _begin(self, connection: Connection, listener: Listener, proxied: Proxied | None) -> None:
        if proxied is not None and proxied.source is not None and proxied.target is not None:
            connection.peer = Endpoint(*proxied.source)
            connection.local = Endpoint(*proxied.target)
        key = address_key(connection.peer.host)
        if self._closed:
            # Accepted before `close`, standing after it: nobody would ask its session to end.
            connection.abort()
        elif len(self._tasks) >= self.limits.total:
            self._refuse(connection, listener, "total")
        elif self._by_address[key] >= self.limits.per_address:
            self._refuse(connection, listener, "address")
        else:
            self._by_address[key] += 1
            OPEN.labels(self.name).inc()
            task = asyncio.get_running_loop().create_task(self._serve(connection, listener))
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._ended(done, connection, key))

    def _ended(self, task: "asyncio.Task[None]", connection: Connection, key: str) -> None:
        """Also of a task that was cut before its first step."""
        self._tasks.discard(task)
        self._by_address[key] -= 1
        if not self._by_address[key]:
            del self._by_address[key]
        OPEN.labels(self.name).dec()
        connection.abort()

    def _refuse(self, connection: Connection, listener: Listener, reason: str) -> None:
        REFUSED.labels(self.name, reason).inc()
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + REFUSAL_LOG_SECONDS:
            peer = connection.peer.host
            log.warning("connections.refused", server=self.name, peer=peer, reason=reason, count=self._refused)
            self._told_at = now
            self._refused = 0
        if listener.tls is None and self.reject:
            connection.send(self.reject)
            connection.finish()
        else:
            connection.abort()

    async def _serve(self, connection: Connection, listener: Listener) -> None:
        try:
            if listener.tls is not None:
                await connection.start_tls(listener.tls)
                if self._closed:
                    # As in `_begin`.
                    return
            await self.handler(connection)
            await connection.close()
        except ConnectionLost as error:
            log.debug("connection.lost", server=self.name, peer=connection.peer.host, reason=error.text)
        except Exception:
            log.exception(
                "connection.broken", server=self.name, connection=connection.number, peer=connection.peer.host
            )


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
