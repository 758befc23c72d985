"""One connection: bytes in with a time limit, bytes out with back-pressure, TLS on demand."""

import asyncio
import itertools
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from everpost.core.errors import TryLater
from everpost.core.metrics import counter
from everpost.net.deflate import BadDeflate, Deflate
from everpost.net.tls import end_point_of, requested_name

HANDSHAKES_FAILED = counter("net", "handshakes_failed_total", "TLS handshakes that failed", ("side",))

# Reading stops while so many bytes are not taken yet.
MAX_UNREAD = 256 * 1024
HANDSHAKE_SECONDS = 30.0
# For what is left to send when a session is over.
CLOSE_SECONDS = 10.0
# How long a peer may take to close its side after ours is closed, and what it may still say then.
LINGER_SECONDS = 2.0
MAX_LINGER = 4 * 1024 * 1024

_NUMBERS = itertools.count(1)


class ConnectionLost(TryLater):
    """The peer or the network ended the connection."""

    default_status = "4.4.2"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """What protects the connection."""

    version: str
    """Such as `TLSv1.3`."""
    cipher: str
    server_name: str | None = None
    """What the client asked for (SNI)."""


class Connection(asyncio.Protocol):
    """A stream of bytes to a peer. One task uses it."""

    def __init__(self, started: "Callable[[Connection], None] | None" = None) -> None:
        """`started` is called when the connection stands (for servers)."""
        self.number = next(_NUMBERS)
        """Names this connection in the log of its process."""
        self.peer = Endpoint("", 0)
        self.local = Endpoint("", 0)
        self.tls: TlsInfo | None = None
        self.deflate: Deflate | None = None
        """Set it: what is sent from now on is packed, and what is received unpacked."""
        self._started = started
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._unread = 0
        self._paused = False
        self._eof = False
        self._lost = False
        self._cause: BaseException | None = None
        self._leaving = False
        self._closing = False
        self._server_side = True
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._full = False
        self._drained: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Implements asyncio.Protocol; called again when TLS has started."""
        first = self._transport is None
        self._transport = cast(asyncio.Transport, transport)
        if first:
            self.peer = _endpoint(transport.get_extra_info("peername"))
            self.local = _endpoint(transport.get_extra_info("sockname"))
            self._note_tls()
            if self._started is not None:
                self._started(self)

    def data_received(self, data: bytes) -> None:
        """Implements asyncio.Protocol."""
        self._unread += len(data)
        if self._closing:
            if self._unread > MAX_LINGER:
                self.abort()
            return
        self._chunks.append(data)
        if self._unread > MAX_UNREAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._release()

    def eof_received(self) -> bool:
        """Implements asyncio.Protocol; the writing side stays open (not possible under TLS)."""
        self._eof = True
        self._release()
        return self.tls is None and not self._closing

    def connection_lost(self, exc: BaseException | None) -> None:
        """Implements asyncio.Protocol. Also called by `start_tls`, because not every event loop tells of the end of a
        connection whose handshake failed.
        """
        if self._lost:
            return
        self._lost = True
        self._cause = exc
        # A peer that ends TLS without saying so (most do) is reported in this way by uvloop.
        self._eof = self._eof or (exc is None and not self._leaving)
        self._release()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiter in (self._drained, self._ended):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def pause_writing(self) -> None:
        """Implements asyncio.Protocol."""
        self._full = True

    def resume_writing(self) -> None:
        """Implements asyncio.Protocol."""
        self._full = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # What sessions call.

    async def receive(self, timeout: float) -> bytes | None:
        """The bytes that are there, waiting up to `timeout` seconds for the first.

        b"" at the end of the stream; None after `wake`. Raises TimeoutError, ConnectionLost.
        """
        if self.deflate is None:
            return await self._receive(timeout)
        try:
            return await self.deflate.receive(self._receive, timeout, self._loop.time)
        except BadDeflate as error:
            self.abort()
            raise ConnectionLost("the compressed data is damaged") from error

    async def _receive(self, timeout: float) -> bytes | None:
        if not self._chunks and not self._eof and not self._woken and not self._lost:
            waiter = self._waiter = self._loop.create_future()
            self._deadline = self._loop.time() + timeout
            if self._timer is None or self._timer_at > self._deadline:
                self._arm()
            try:
                await waiter
            finally:
                self._waiter = None
        if self._chunks:
            data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self._unread = 0
            if self._paused and self._transport is not None:
                self._paused = False
                if not self._lost and not self._transport.is_closing():
                    self._transport.resume_reading()
            return data
        if self._eof:
            return b""
        if self._lost:
            raise self._loss()
        self._woken = False
        return None

    def unread(self, data: bytes) -> None:
        """Put bytes back: the next `receive` gives them first."""
        self._chunks.insert(0, data)
        self._unread += len(data)

    def wake(self) -> None:
        """Make the present or next `receive` return None if no bytes are there."""
        self._woken = True
        self._release()

    def send(self, data: bytes) -> None:
        """Hand bytes to the network. Nothing happens if the connection is lost."""
        if not self._lost and self._transport is not None:
            self._transport.write(data if self.deflate is None else self.deflate.pack(data))

    async def drain(self, timeout: float) -> None:
        """Wait until the peer has taken most of what was sent. Raises ConnectionLost, also when it takes too long."""
        if self._lost:
            raise self._loss()
        if not self._full:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._flushed()
        except TimeoutError as error:
            self.abort()
            raise ConnectionLost("the peer does not read") from error
        if self._lost:
            raise self._loss()

    async def start_tls(
        self,
        context: ssl.SSLContext,
        timeout: float = HANDSHAKE_SECONDS,
        *,
        server_side: bool = True,
        server_hostname: str | None = None,
    ) -> None:
        """Begin TLS. Plain bytes received before are thrown away. Raises ConnectionLost if it fails."""
        if self._lost or self._transport is None:
            raise self._loss()
        self._chunks.clear()
        self._unread = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._server_side = server_side
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                context,
                server_side=server_side,
                server_hostname=server_hostname,
                ssl_handshake_timeout=timeout,
                ssl_shutdown_timeout=CLOSE_SECONDS,
            )
            if transport is None:
                raise ConnectionAbortedError("the transport was closed")
        except (OSError, TimeoutError) as error:
            HANDSHAKES_FAILED.labels("server" if server_side else "client").inc()
            self._give_up(error)
            raise ConnectionLost("the TLS handshake failed", status="4.7.0") from error
        except BaseException:
            self._give_up(None)
            raise
        self._transport = transport
        self._note_tls(server_hostname)

    @property
    def binds_channels(self) -> bool:
        """Whether a login can be bound to this channel by what its peer will use: not under TLS 1.3.

        There clients bind by `tls-exporter` (RFC 9266), which Python's ssl cannot give. Offered another way, some
        (GNU SASL, so mutt and msmtp) choose -PLUS all the same, and fail.
        """
        return self.tls is not None and self.tls.version == "TLSv1.2"

    def channel_binding(self, kind: str) -> bytes | None:
        """`tls-server-end-point`, or `tls-unique` of TLS 1.2 (RFC 5929); None where there is none."""
        if self._transport is None or self.tls is None:
            return None
        tls = self._transport.get_extra_info("ssl_object")
        if kind == "tls-server-end-point":
            return end_point_of(tls, server_side=self._server_side)
        if kind == "tls-unique" and self.tls.version == "TLSv1.2":
            return cast(bytes | None, tls.get_channel_binding("tls-unique"))
        return None

    @property
    def certificate_context(self) -> ssl.SSLContext | None:
        """The context that answered the handshake (SNI may have chosen it)."""
        tls = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return None if tls is None else cast(ssl.SSLContext, tls.context)

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return self._lost

    async def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Send what is left and end the connection, by force after `timeout` seconds."""
        transport = self._transport
        if transport is None or self._lost:
            return
        self._leaving = self._closing = True
        self._ended = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout):
                if self.tls is None and not self._eof and not transport.is_closing():
                    await self._linger(transport)
                transport.close()
                await self._ended
        except TimeoutError:
            self.abort()
        except BaseException:
            self.abort()
            raise

    async def _linger(self, transport: asyncio.Transport) -> None:
        """Close our side and wait a little for the peer to close its own.

        A socket closed while the peer still talks answers with RST, and then the last reply, which may say why the
        connection ends, is lost with some peers (RFC 9112 section 9.6 tells the same of HTTP).
        """
        self._chunks.clear()
        self._unread = 0
        if self._paused:
            self._paused = False
            transport.resume_reading()
        # From now on "not full" means that the system has taken everything.
        transport.set_write_buffer_limits(0)
        if self._full:
            await self._flushed()
        if self._lost or self._eof or transport.is_closing():
            return
        try:
            transport.write_eof()
        except OSError:
            return
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(LINGER_SECONDS, self._release)
        try:
            await self._waiter
        finally:
            self._waiter = None
            timer.cancel()

    def finish(self) -> None:
        """Send what is left and end the connection, without waiting for it."""
        self._leaving = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._leaving = True
        if self._transport is not None:
            self._transport.abort()

    def _loss(self) -> ConnectionLost:
        """What to raise; a new one each time, because an exception gathers traces."""
        error = ConnectionLost("the connection was lost")
        error.__cause__ = self._cause
        return error

    def _note_tls(self, server_name: str | None = None) -> None:
        tls = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        if tls is not None:
            cipher = tls.cipher()
            name = requested_name(tls) if self._server_side else server_name
            self.tls = TlsInfo(tls.version() or "TLS", cipher[0] if cipher else "unknown", name)

    def _give_up(self, error: BaseException | None) -> None:
        self.abort()
        self.connection_lost(error)

    async def _flushed(self) -> None:
        self._drained = self._loop.create_future()
        try:
            await self._drained
        finally:
            self._drained = None

    def _release(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._tick)

    def _tick(self) -> None:
        """The timer is left running between waits and looks at the deadline only when it rings."""
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._deadline - 0.001:
            self._waiter.set_exception(TimeoutError())
        else:
            self._arm()


def _endpoint(name: object) -> Endpoint:
    if isinstance(name, tuple) and len(name) >= 2:
        host = str(name[0])
        # An IPv4 client on an IPv6 socket is an IPv4 client.
        return Endpoint(host.removeprefix("::ffff:") if "." in host else host, int(name[1]))
    return Endpoint("", 0)
