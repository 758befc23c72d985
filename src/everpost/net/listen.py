"""Listening sockets: bounded, counted, behind a load balancer if need be, stopped with grace."""

import asyncio
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field

from everpost.core.errors import ProtocolError
from everpost.core.log import logger
from everpost.net import proxy
from everpost.net.connection import Connection, ConnectionLost, Endpoint
from everpost.net.proxy import Proxied

log = logger("net")

BACKLOG = 1024
PROXY_SECONDS = 5.0

Handler = Callable[[Connection], Awaitable[None]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen, and how."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    """For implicit TLS."""
    proxies: tuple[Network, ...] = ()
    """Networks whose connections begin with a PROXY header; empty for none."""


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
    _servers: list[asyncio.Server] = field(default_factory=list)
    _sockets: list[socket.socket] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _by_address: Counter[str] = field(default_factory=Counter)

    @property
    def connections(self) -> int:
        """How many connections are being served."""
        return len(self._tasks)

    async def start(self, listeners: Sequence[Listener], *, reuse_port: bool = False) -> None:
        """Begin to listen. Raises OSError if a port cannot be had."""
        loop = asyncio.get_running_loop()
        for listener in listeners:
            sock = bind(listener.host, listener.port, reuse_port=reuse_port)
            self._sockets.append(sock)
            if listener.proxies:
                sock.listen(BACKLOG)
                loop.add_reader(sock.fileno(), self._accept, sock, listener)
            else:
                server = await loop.create_server(self._factory(listener), sock=sock, backlog=BACKLOG)
                self._servers.append(server)

    def _factory(self, listener: Listener, proxied: Proxied | None = None) -> Callable[[], Connection]:
        return lambda: Connection(lambda connection: self._begin(connection, listener, proxied))

    @property
    def ports(self) -> list[int]:
        """The ports in use, in the order of the listeners."""
        return [sock.getsockname()[1] for sock in self._sockets]

    def close(self) -> None:
        """Take no new connections."""
        loop = asyncio.get_running_loop()
        for server in self._servers:
            server.close()
        for sock in self._sockets:
            if sock.fileno() >= 0:
                loop.remove_reader(sock.fileno())
                sock.close()

    async def stop(self, grace: float) -> None:
        """Take no new connections, wait `grace` seconds for those there are, then cut them."""
        self.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10.0)
        self._servers.clear()
        self._sockets.clear()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self, listening: socket.socket, listener: Listener) -> None:
        """A connection from a load balancer: its header is read before the event loop gets the socket."""
        try:
            sock, _ = listening.accept()
        except OSError:
            return
        sock.setblocking(False)
        if len(self._tasks) >= self.limits.total:
            sock.close()
            return
        self._start(self._unwrap(sock, listener))

    async def _unwrap(self, sock: socket.socket, listener: Listener) -> None:
        """Read the PROXY header and not a byte more, because a TLS handshake may follow; then serve."""
        peer = sock.getpeername()[0]
        try:
            if not any(ipaddress.ip_address(peer) in network for network in listener.proxies):
                raise ProtocolError("not a trusted proxy")
            async with asyncio.timeout(PROXY_SECONDS):
                header = await _read_header(sock)
            await asyncio.get_running_loop().connect_accepted_socket(self._factory(listener, header), sock)
        except (ProtocolError, OSError, TimeoutError) as error:
            log.warning("proxy.refused", server=self.name, peer=peer, reason=str(error))
            sock.close()

    def _begin(self, connection: Connection, listener: Listener, proxied: Proxied | None) -> None:
        if proxied is not None and proxied.source is not None and proxied.target is not None:
            connection.peer = Endpoint(*proxied.source)
            connection.local = Endpoint(*proxied.target)
        if len(self._tasks) >= self.limits.total:
            self._refuse(connection, listener)
            return
        self._start(self._serve(connection, listener))

    def _refuse(self, connection: Connection, listener: Listener) -> None:
        log.info("connection.refused", server=self.name, peer=connection.peer.host, reason="too many connections")
        if listener.tls is None and self.reject:
            connection.send(self.reject)
            connection.finish()
        else:
            connection.abort()

    async def _serve(self, connection: Connection, listener: Listener) -> None:
        try:
            key = _key(connection.peer.host)
            if self._by_address[key] >= self.limits.per_address:
                self._refuse(connection, listener)
                return
            self._by_address[key] += 1
            try:
                if listener.tls is not None:
                    await connection.start_tls(listener.tls)
                await self.handler(connection)
            finally:
                self._by_address[key] -= 1
                if not self._by_address[key]:
                    del self._by_address[key]
        except ConnectionLost as error:
            log.debug("connection.lost", server=self.name, peer=connection.peer.host, reason=error.text)
            connection.abort()
        except Exception:
            log.exception("connection.broken", server=self.name, peer=connection.peer.host)
            connection.abort()


async def _read_header(sock: socket.socket) -> Proxied:
    """Peek until the header is whole, then take exactly its bytes. Raises ProtocolError, OSError."""
    loop = asyncio.get_running_loop()
    seen = -1
    while True:
        await _readable(loop, sock)
        data = sock.recv(proxy.MAX_V2, socket.MSG_PEEK)
        header = proxy.parse(data)
        if header is not None:
            sock.recv(header.length)
            return header
        if len(data) == seen:
            # Readable but nothing new: the end of the stream, or the rest is slow.
            await asyncio.sleep(0.01)
        if not data:
            raise ProtocolError("no PROXY header came")
        seen = len(data)


def _once(ready: asyncio.Future[None]) -> Callable[[], None]:
    def call() -> None:
        if not ready.done():
            ready.set_result(None)

    return call


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock.fileno(), _once(ready))
    try:
        await ready
    finally:
        loop.remove_reader(sock.fileno())


def bind(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    """A socket bound to an address, ready to listen. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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


def _key(host: str) -> str:
    """What counts as one client."""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
