"""Bytes of a remote server's connection: lines, counted bytes, TLS; on asyncio's streams, not on our connections."""

import asyncio
import socket
import ssl
import struct


class Gone(Exception):
    """The connection has ended."""


class Wire:
    """A buffer over a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()

    @property
    def pending(self) -> bool:
        """Whether bytes came after what was read last."""
        return bool(self._buffer)

    async def line(self, *, keep_end: bool = False) -> bytes:
        """A line ended by CRLF. Raises Gone."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._more()
        line = bytes(self._buffer[: end + 2] if keep_end else self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def exactly(self, size: int) -> bytes:
        """So many bytes. Raises Gone."""
        while len(self._buffer) < size:
            await self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        try:
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    async def start_tls(self, context: ssl.SSLContext) -> str:
        """The server's side of a handshake; the version. Raises Gone."""
        self._buffer.clear()
        try:
            await self._writer.start_tls(context, ssl_handshake_timeout=30.0)
        except (OSError, TimeoutError) as error:
            raise Gone from error
        return str(self._writer.get_extra_info("ssl_object").version())

    async def until_gone(self) -> None:
        """Read and forget until the client ends the connection."""
        while await self._read():
            pass

    def end(self, *, reset: bool) -> None:
        """Cut the connection."""
        if reset:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        else:
            self._writer.close()

    async def _more(self) -> None:
        data = await self._read()
        if not data:
            raise Gone
        self._buffer += data

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except OSError as error:
            raise Gone from error
