"""Mail protocols as a client that expects to be cut off at any moment."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# A killed worker's sockets close at once; a reply that takes longer than this is a fault of the node (seconds).
REPLY_SECONDS = 30.0
CONNECT_SECONDS = 10.0

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class CutOff(Exception):
    """The connection ended or could not be made."""


class PutOff(CutOff):
    """The server says that it cannot do this now: come back later."""


class Unexpected(AssertionError):
    """The server said what it must not say."""


class Wire:
    """Lines over one connection, every wait bounded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Raises CutOff."""
        try:
            self._writer.write(data)
            async with asyncio.timeout(REPLY_SECONDS):
                await self._writer.drain()
        except OSError as error:
            raise CutOff from error

    async def line(self) -> bytes:
        """The next line with its CRLF. Raises CutOff, TimeoutError."""
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                line = await self._reader.readline()
        except TimeoutError:
            raise
        except OSError as error:
            raise CutOff from error
        if not line.endswith(b"\r\n"):
            raise CutOff
        return line

    async def exactly(self, size: int) -> bytes:
        """Raises CutOff, TimeoutError."""
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                return await self._reader.readexactly(size)
        except TimeoutError:
            raise
        except (OSError, asyncio.IncompleteReadError) as error:
            raise CutOff from error


class Smtp(Wire):
    """Delivers."""

    async def reply(self) -> bytes:
        """The last line of the next reply."""
        while True:
            line = await self.line()
            if line[3:4] != b"-":
                return line

    async def ask(self, command: bytes, code: bytes) -> None:
        """A command that must be answered by `code`, or put off."""
        await self.send(command + b"\r\n")
        self.check(await self.reply(), code)

    @staticmethod
    def check(reply: bytes, code: bytes) -> None:
        """Raises PutOff for a temporary refusal, Unexpected for anything else but `code`."""
        if reply.startswith(b"4"):
            raise PutOff(reply)
        if not reply.startswith(code):
            raise Unexpected(reply)


class Imap(Wire):
    """Reads and flags. Answers come as whole responses, literals inside them."""

    number = 0

    async def response(self) -> bytes:
        """One response with the literals in it."""
        whole = b""
        while True:
            whole += await self.line()
            literal = _LITERAL.search(whole)
            if literal is None:
                return whole
            whole += await self.exactly(int(literal.group(1)))

    async def ask(self, command: str) -> list[bytes]:
        """All responses. Raises CutOff when the server says BYE, PutOff, Unexpected unless it ends with OK."""
        self.number += 1
        tag = b"c%d " % self.number
        await self.send(tag + command.encode() + b"\r\n")
        untagged: list[bytes] = []
        while True:
            response = await self.response()
            if response.startswith(b"* BYE"):
                raise CutOff
            if response.startswith(tag):
                if response[len(tag) :].startswith(b"NO [UNAVAILABLE]"):
                    raise PutOff(response)
                if not response[len(tag) :].startswith(b"OK"):
                    raise Unexpected((command, response))
                return [*untagged, response]
            untagged.append(response)


async def _open(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    except OSError as error:  # TimeoutError is one.
        raise CutOff from error


@asynccontextmanager
async def smtp(port: int) -> AsyncIterator[Smtp]:
    """A session after EHLO."""
    reader, writer = await _open(port)
    try:
        session = Smtp(reader, writer)
        session.check(await session.reply(), b"220")
        await session.ask(b"EHLO chaos.test", b"250")
        yield session
    finally:
        writer.transport.abort()


@asynccontextmanager
async def imap(port: int, user: str, password: str) -> AsyncIterator[Imap]:
    """A session that has logged in."""
    reader, writer = await _open(port)
    try:
        session = Imap(reader, writer)
        if not (await session.response()).startswith(b"* OK"):
            raise CutOff
        await session.ask(f"LOGIN {user} {password}")
        yield session
    finally:
        writer.transport.abort()
