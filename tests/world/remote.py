"""A mail server elsewhere: takes mail by SMTP, notes everything, and does what its script says."""

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.world.loopback import free_address, free_port
from tests.world.script import Act, Rule, Script
from tests.world.wire import Gone, Wire

OFFERS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "ENHANCEDSTATUSCODES", "STARTTLS")

# Parameters of MAIL and RCPT by the extension that allows them.
_PARAMETERS = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "SMTPUTF8": "SMTPUTF8",
    "RET": "DSN",
    "ENVID": "DSN",
    "NOTIFY": "DSN",
    "ORCPT": "DSN",
    "AUTH": "AUTH",
    "REQUIRETLS": "REQUIRETLS",
}
_PATH = re.compile(r"(?:FROM|TO):\s?<([^>]*)>\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was accepted (250 after its end, or a dropped connection with `keep`)."""

    reverse_path: str
    recipients: tuple[str, ...]
    """Those that were accepted."""
    raw: bytes
    """The content: CRLF as it came, dots undone."""
    mail: str
    """The parameters of MAIL."""
    rcpts: tuple[str, ...]
    """The parameters of RCPT, recipient by recipient."""
    hello: str
    tls: str
    """Such as `TLSv1.3`; empty for none."""
    peer: str
    session: int
    """Its place in `RemoteServer.sessions`."""


@dataclass(slots=True)
class SessionLog:
    """One connection."""

    peer: str
    lines: list[str] = field(default_factory=list)
    """`C: ` before what the client said, `S: ` before what we answered; content is left out."""
    tls: str = ""
    server_name: str = ""
    """Asked for by SNI."""
    closed: bool = False
    login: str = ""
    """The argument of AUTH."""

    @property
    def commands(self) -> list[str]:
        """What the client said, without the mark."""
        return [line[3:] for line in self.lines if line.startswith("C: ")]


class RemoteServer(Script):
    """`async with RemoteServer("mx.a.test") as remote:`; in tests without asyncio through `World`."""

    def __init__(
        self,
        hostname: str = "mx.remote.test",
        host: str | None = None,
        port: int | None = None,
        context: ssl.SSLContext | None = None,
        offers: Sequence[str] = OFFERS,
    ) -> None:
        """Without `context` there is no STARTTLS, whatever `offers` says."""
        super().__init__()
        self.hostname = hostname
        self.host = host or free_address()
        self.port = port or free_port(self.host)
        self.context = context
        self.offers = list(offers)
        self.received: list[Received] = []
        self.sessions: list[SessionLog] = []
        self.faults: list[str] = []
        """What a client did that it must not do; and our own faults. Tests should see it empty."""
        self.open = 0
        """Connections now."""
        self.most = 0
        """The most there were at a time."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def withhold(self, *keywords: str) -> None:
        """Do not offer these extensions."""
        self.offers = [offer for offer in self.offers if offer.split()[0] not in keywords]

    def offer(self, *lines: str) -> None:
        """Offer these too: `AUTH PLAIN`, `SIZE 1000` (in place of another SIZE)."""
        self.withhold(*(line.split()[0] for line in lines))
        self.offers = [*self.offers, *lines]

    def offered(self) -> list[str]:
        return [offer for offer in self.offers if self.context is not None or offer != "STARTTLS"]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._begin, self.host, self.port, limit=2**26)

    async def stop(self) -> None:
        """No more connections; those there are are cut."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def messages(self, count: int, timeout: float = 10.0) -> list[Received]:
        """All received, as soon as they are `count`. Raises AssertionError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while len(self.received) < count:
            assert time.monotonic() < end, f"{len(self.received)} of {count} messages came to {self.hostname}"
            await asyncio.sleep(0.005)
        return self.received

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        self.most = max(self.most, self.open)
        log = SessionLog(str(writer.get_extra_info("peername")[0]))
        self.sessions.append(log)
        try:
            await _Session(self, Wire(reader, writer), log, len(self.sessions) - 1).run()
        except (Gone, OSError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception as error:
            self.faults.append(f"the remote server itself failed: {error!r}")
        finally:
            log.closed = True
            self.open -= 1
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


class _Session:
    """The dialogue with one client."""

    def __init__(self, server: RemoteServer, wire: Wire, log: SessionLog, place: int) -> None:
        self._server = server
        self._wire = wire
        self._log = log
        self._place = place
        self._hello = ""
        self._pieces: list[bytes] = []
        self._reset()

    def _reset(self) -> None:
        self._mail: tuple[str, str] | None = None
        self._rcpts: list[tuple[str, str]] = []
        self._pieces = []

    async def run(self) -> None:
        await self._say("CONNECT", "", f"220 {self._server.hostname} ESMTP elsewhere")
        while True:
            line = await self._wire.line()
            text = line.decode("utf-8", "backslashreplace")
            self._log.lines.append("C: " + text)
            verb, _, argument = text.partition(" ")
            if self._wire.pending and not self._offers("PIPELINING") and verb.upper() != "BDAT":
                self._server.faults.append(f"pipelined without being offered it, after {text!r}")
            call = getattr(self, "_on_" + verb.lower(), None)
            if call is None:
                await self._say("NOOP", text, "500 5.5.1 what?")
            elif await call(text, argument.strip()):
                return

    async def _on_ehlo(self, text: str, argument: str) -> None:
        self._hello = argument
        self._reset()
        await self._say("EHLO", text, "250 " + "\n".join([self._server.hostname, *self._server.offered()]))

    async def _on_helo(self, text: str, argument: str) -> None:
        self._hello = argument
        self._reset()
        await self._say("HELO", text, f"250 {self._server.hostname}")

    async def _on_starttls(self, text: str, _argument: str) -> None:
        context = self._server.context
        if context is None or self._log.tls:
            await self._say("STARTTLS", text, "503 5.5.1 not now")
            return
        if not await self._say("STARTTLS", text, "220 2.0.0 go ahead"):
            return
        if self._wire.pending:
            self._server.faults.append("said something between STARTTLS and the handshake")
        instead = await self._obey("HANDSHAKE", "")
        if instead is not None:
            await self._wire.send(instead.text)
        names: list[str] = []
        context.sni_callback = lambda _tls, name, _context: names.append(name or "")
        self._log.tls = await self._wire.start_tls(context)
        self._log.server_name = names[-1] if names else ""
        self._hello = ""
        self._reset()

    async def _on_auth(self, text: str, argument: str) -> None:
        if await self._say("AUTH", text, "235 2.7.0 welcome" if self._offers("AUTH") else "502 5.5.1 no"):
            self._log.login = argument

    async def _on_mail(self, text: str, argument: str) -> None:
        found = _PATH.fullmatch(argument)
        if not self._hello or self._mail is not None:
            await self._say("MAIL", text, "503 5.5.1 not now")
        elif found is None or not self._known(found[2]):
            await self._say("MAIL", text, "555 5.5.4 unknown parameters")
        elif await self._say("MAIL", text, "250 2.1.0 fine"):
            self._mail = found[1], found[2]

    async def _on_rcpt(self, text: str, argument: str) -> None:
        found = _PATH.fullmatch(argument)
        if self._mail is None:
            await self._say("RCPT", text, "503 5.5.1 MAIL first")
        elif found is None or not self._known(found[2]):
            await self._say("RCPT", text, "555 5.5.4 unknown parameters")
        elif await self._say("RCPT", text, "250 2.1.5 fine"):
            self._rcpts.append((found[1], found[2]))

    async def _on_data(self, text: str, _argument: str) -> None:
        if self._mail is None or not self._rcpts:
            await self._say("DATA", text, "503 5.5.1 no recipients" if self._mail else "503 5.5.1 MAIL first")
            return
        if not await self._say("DATA", text, "354 go ahead", "3"):
            return
        await asyncio.sleep(self._server.delay_of("CONTENT"))
        lines: list[bytes] = []
        while (line := await self._wire.line(keep_end=True)) != b".\r\n":
            if not lines:
                await self._obey("CONTENT", text)
            lines.append(line[1:] if line.startswith(b".") else line)
        await self._take(b"".join(lines))

    async def _on_bdat(self, text: str, argument: str) -> None:
        size, _, last = argument.partition(" ")
        data = await self._wire.exactly(int(size))
        if not self._offers("CHUNKING") or self._mail is None or not self._rcpts:
            await self._say("BDAT", text, "503 5.5.1 not now")
            return
        self._pieces.append(data)
        if last.upper() == "LAST":
            await self._take(b"".join(self._pieces))
        else:
            await self._say("BDAT", text, "250 2.0.0 more, please")

    async def _take(self, raw: bytes) -> None:
        assert self._mail is not None
        message = Received(
            self._mail[0],
            tuple(path for path, _ in self._rcpts),
            raw,
            self._mail[1],
            tuple(parameters for _, parameters in self._rcpts),
            self._hello,
            self._log.tls,
            self._log.peer,
            self._place,
        )
        self._reset()
        await self._say("END", raw.decode("latin-1"), "250 2.0.0 taken", message=message)

    async def _on_rset(self, text: str, _argument: str) -> None:
        self._reset()
        await self._say("RSET", text, "250 2.0.0 forgotten")

    async def _on_noop(self, text: str, _argument: str) -> None:
        await self._say("NOOP", text, "250 2.0.0 fine")

    async def _on_vrfy(self, text: str, _argument: str) -> None:
        await self._say("VRFY", text, "252 2.1.5 perhaps")

    async def _on_quit(self, text: str, _argument: str) -> bool:
        await self._say("QUIT", text, "221 2.0.0 goodbye")
        return True

    def _offers(self, keyword: str) -> bool:
        return any(offer.split()[0] == keyword for offer in self._server.offered())

    def _known(self, parameters: str) -> bool:
        """Whether all parameters belong to extensions that we offer."""
        for parameter in parameters.split():
            keyword = parameter.partition("=")[0].upper()
            if keyword not in _PARAMETERS or not self._offers(_PARAMETERS[keyword]):
                self._server.faults.append(f"a parameter that was not offered: {parameter}")
                return False
        return True

    async def _say(
        self, step: str, text: str, usual: str, positive: str = "2", message: Received | None = None
    ) -> bool:
        """Answer as the script says, otherwise as usual; whether the answer was positive."""
        rule = await self._obey(step, text, message)
        script = Script()
        if rule is None:
            script.answer(step, usual)
            rule = script.rule(step, "")
            assert rule is not None
        accepted = rule.text[:1].decode("latin-1") == positive
        if accepted and message is not None:
            # Noted before the answer goes out: who has seen the answer finds the message.
            self._server.received.append(message)
        self._log.lines += ["S: " + line for line in rule.text.decode("utf-8", "replace").splitlines()]
        await self._wire.send(rule.text)
        return accepted

    async def _obey(self, step: str, text: str, message: Received | None = None) -> Rule | None:
        """Do what the script says to a step; the rule if it is an answer. Raises Gone for an ended connection."""
        if step != "CONTENT":
            await asyncio.sleep(self._server.delay_of(step))
        rule = self._server.rule(step, text)
        if rule is None or rule.act is Act.ANSWER:
            return rule
        if rule.keep and message is not None:
            self._server.received.append(message)
        if rule.act is Act.HANG:
            await self._wire.until_gone()
        self._wire.end(reset=rule.act is Act.RESET)
        raise Gone
