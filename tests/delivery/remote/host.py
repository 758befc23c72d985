"""A mail host elsewhere that does what a test tells it to: answers, drops, breaks TLS."""

import asyncio
import ssl
from dataclasses import dataclass, field


@dataclass
class FakeHost:
    """Listens on 127.0.0.1; remembers what it took."""

    replies: dict[str, list[str]] = field(default_factory=dict)
    """By verb (`greeting`, EHLO, STARTTLS, MAIL, RCPT, DATA, end): replies in turn, the last again and again."""
    drop_at: str = ""
    """Hang up instead of answering this."""
    offers: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 1000000", "DSN")
    tls: ssl.SSLContext | None = None
    broken_tls: bool = False
    """Answer the handshake with garbage."""
    messages: list[tuple[list[str], bytes]] = field(default_factory=list)
    """(MAIL and RCPT lines, message) of what was accepted."""
    under_tls: list[bool] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    def _reply(self, verb: str, usual: str) -> bytes:
        if verb == self.drop_at:
            raise ConnectionResetError
        given = self.replies.get(verb)
        text = usual if not given else given.pop(0) if len(given) > 1 else given[0]
        return text.encode() + b"\r\n"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            writer.write(self._reply("greeting", "220 far.test"))
            await self._commands(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _commands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: list[str] = []
        secure = False
        while line := (await reader.readline()).decode():
            verb = line[:4].strip().upper()
            match verb:
                case "EHLO":
                    offers = [*self.offers, *(["STARTTLS"] if not secure and (self.tls or self.broken_tls) else [])]
                    usual = "\r\n".join([*(f"250-{offer}" for offer in ["far.test", *offers]), "250 HELP"])
                    writer.write(self._reply("EHLO", usual))
                case "STAR":
                    writer.write(self._reply("STARTTLS", "220 go"))
                    if self.broken_tls:
                        await reader.read(100)
                        writer.write(b"this is no TLS\r\n" * 20)
                        raise ConnectionResetError
                    if self.tls is not None:
                        await writer.start_tls(self.tls)
                        secure = True
                case "MAIL" | "RCPT":
                    reply = self._reply(verb, "250 2.0.0 fine")
                    writer.write(reply)
                    if verb == "MAIL":
                        lines = []
                    if reply.startswith(b"2"):
                        lines.append(line.rstrip("\r\n"))
                case "DATA":
                    reply = self._reply("DATA", "354 go" if len(lines) > 1 else "554 nobody")
                    writer.write(reply)
                    if not reply.startswith(b"354"):
                        continue
                    raw = await reader.readuntil(b"\r\n.\r\n")
                    reply = self._reply("end", "250 2.6.0 taken")
                    if reply.startswith(b"2"):
                        self.messages.append((lines, raw[:-3].replace(b"\r\n..", b"\r\n.")))
                        self.under_tls.append(secure)
                    writer.write(reply)
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                case "RSET":
                    writer.write(b"250 fine\r\n")
                case _:
                    writer.write(b"500 what\r\n")
            await writer.drain()
