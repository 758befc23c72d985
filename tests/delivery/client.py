"""A client that says exactly what a test tells it to."""

import asyncio
import ssl
from typing import Self


class Client:
    """One SMTP connection to a port of this machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def read(self) -> str:
        """One reply, its lines joined by newlines; empty at the end of the stream."""
        lines = []
        while True:
            async with asyncio.timeout(10):
                line = (await self._reader.readline()).decode()
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    def write(self, text: str | bytes) -> None:
        self._writer.write(text if isinstance(text, bytes) else text.encode())

    async def say(self, line: str) -> str:
        """One command, its reply."""
        self.write(line + "\r\n")
        return await self.read()

    async def greet(self, name: str = "client.test") -> str:
        """The greeting and EHLO; the reply to EHLO."""
        assert (await self.read()).startswith("220 ")
        return await self.say(f"EHLO {name}")

    async def mail(self, sender: str, *recipients: str, options: str = "") -> list[str]:
        """MAIL and RCPTs; their replies."""
        replies = [await self.say(f"MAIL FROM:<{sender}>{options}")]
        for recipient in recipients:
            path, space, more = recipient.partition(" ")
            replies.append(await self.say(f"RCPT TO:<{path}>{space}{more}"))
        return replies

    async def data(self, raw: bytes) -> str:
        """DATA and a message; the last reply."""
        reply = await self.say("DATA")
        if not reply.startswith("354"):
            return reply
        self.write(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return await self.read()

    async def start_tls(self, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        assert (await self.say("STARTTLS")).startswith("220")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = newest
        await self._writer.start_tls(context)

    def close(self) -> None:
        self._writer.close()
