"""Accepting on a listening socket by ourselves, where something must happen before the event loop reads a byte."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence

from everpost.core.errors import ProtocolError
from everpost.core.log import logger
from everpost.net import proxy
from everpost.net.proxy import Proxied

log = logger("net")

HEADER_SECONDS = 5.0
# How long to wait when there are no more file descriptors.
PAUSE_SECONDS = 1.0
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Acceptor:
    """Gives accepted sockets, set to non-blocking, and the peer's address to `take`."""

    def __init__(self, listening: socket.socket, take: Callable[[socket.socket, str], None]) -> None:
        self._listening = listening
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None

    def start(self, backlog: int) -> None:
        """Begin to accept."""
        self._listening.listen(backlog)
        self._go_on()

    def close(self) -> None:
        """Accept nothing more."""
        if self._pause is not None:
            self._pause.cancel()
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening.fileno())
            self._listening.close()

    def _go_on(self) -> None:
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            sock, address = self._listening.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                # The socket stays readable: without a pause the loop would do nothing but try again.
                log.error("accept.exhausted", reason=error.strerror)
                self._loop.remove_reader(self._listening.fileno())
                self._pause = self._loop.call_later(PAUSE_SECONDS, self._go_on)
            return
        sock.setblocking(False)
        self._take(sock, str(address[0]))


async def read_proxied(sock: socket.socket, peer: str, trusted: Sequence[Network]) -> Proxied:
    """Read the PROXY header of a load balancer and not a byte more, because a TLS handshake may follow.

    Raises ProtocolError (also for a peer that is not `trusted`), TimeoutError, OSError.
    """
    if not any(ipaddress.ip_address(peer) in network for network in trusted):
        raise ProtocolError("not a trusted proxy")
    async with asyncio.timeout(HEADER_SECONDS):
        return await _read_header(sock)


async def _read_header(sock: socket.socket) -> Proxied:
    loop = asyncio.get_running_loop()
    seen = 0
    while True:
        await _readable(loop, sock)
        data = sock.recv(proxy.MAX_V2, socket.MSG_PEEK)
        if not data:
            raise ProtocolError("no PROXY header came")
        header = proxy.parse(data)
        if header is not None:
            sock.recv(header.length)
            return header
        if len(data) == seen:
            # Readable but nothing new: the stream has ended, or the rest is slow.
            await asyncio.sleep(0.01)
        seen = len(data)


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def call() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock.fileno(), call)
    try:
        await ready
    finally:
        loop.remove_reader(sock.fileno())
