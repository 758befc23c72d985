"""Runs conversations written down as text files.

    # a comment
    ! client 2 tls login select=INBOX    prepares connection 2 (connection 1 is there: TLS, logged in)
    C: a1 NOOP                           connection 1 says this and CRLF
    C-: a1 NO                            the same without CRLF
    C2: b1 NOOP                          connection 2
    S: a1 OK NOOP completed              connection 1 hears this
    S2: b1 OK {{.*}}                     {{...}} is a regular expression
    S: * OK [UIDNEXT {{uid=\\d+}}]        and may get a name, to be said again as {{=uid}}

What a connection hears must be written down to the last line, in its order, before it speaks again. Further
directives: `! fill NAME COUNT`, `! message NAME FILE`, `! poll N`, `! idle N`, `! advance SECONDS`, `! ends N`,
`! setting NAME VALUE` (first), `! shutdown N`.

    python -m tests.access.imap.transcript FILE...     prints each file with what the server says now
"""

import asyncio
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.access.imap.world import Client, World, fake_world

FOLDER = Path(__file__).parent / "transcripts"

_LINE = re.compile(r"([CS])(\d?)(-?): ?(.*)")
_PIECE = re.compile(r"\{\{(.*?)\}\}")


class Disagreement(AssertionError):
    """The server said something else."""


class Runner:
    """One conversation."""

    def __init__(self, text: str, make: Callable[..., World]) -> None:
        self.lines = text.splitlines()
        self._make = make
        self._settings: dict[str, object] = {}
        self._clients: dict[int, Client] = {}
        self._heard: dict[int, list[str]] = {}
        self._names: dict[str, str] = {}
        self.world: World | None = None
        self.said: list[str] = []
        """The conversation as it went."""

    async def run(self, *, check: bool = True) -> None:
        try:
            for number, line in enumerate(self.lines, 1):
                try:
                    await self._step(line, check=check)
                except Disagreement as error:
                    raise Disagreement(f"line {number}: {error}") from None
            if check:
                for client in self._heard:
                    self._check_silence(client)
            else:
                self._write_down()
        finally:
            if self.world is not None:
                await self.world.close()

    async def _step(self, line: str, *, check: bool) -> None:
        if line.startswith("!"):
            if not check:
                self._write_down()
                self.said.append(line)
            await self._direct(*line[1:].split())
            return
        found = _LINE.fullmatch(line)
        if found is None:
            if line and not line.startswith("#"):
                raise ValueError(f"cannot read: {line}")
            if not check:
                self._write_down()
                self.said.append(line)
            return
        who, number, short, text = found.groups()
        client = int(number or 1)
        if who == "S":
            if check:
                self._expect(client, text)
            return
        await self._client(client)
        if check:
            self._check_silence(client)
        else:
            self._write_down()
            self.said.append(line)
        said = self._fill_in(text).encode("utf-8", "surrogateescape")
        await self._hear(client, await self._clients[client].send(said + (b"" if short else b"\r\n")))

    async def _direct(self, what: str, *words: str) -> None:
        if what == "setting":
            self._settings[words[0]] = float(words[1]) if "." in words[1] else int(words[1])
            return
        world = self.world = self.world or self._make(**self._settings)
        match what:
            case "client":
                client = int(words[0])
                options = dict(word.partition("=")[::2] for word in words[1:])
                made = Client(world, tls="tls" in options)
                world.clients.append(made)
                self._clients[client], self._heard[client] = made, []
                greeting = await made.start()
                if "greeting" in options:
                    await self._hear(client, greeting)
                if "login" in options:
                    await made.log_in()
                if "enable" in options:
                    await made.send(f"e ENABLE {options['enable']}\r\n".encode())
                if "select" in options:
                    await made.select(options["select"])
            case "fill":
                await world.fill(words[0], int(words[1]), int(words[2]) if words[2:] else 1)
            case "message":
                raw = (FOLDER / words[1]).read_bytes().replace(b"\n", b"\r\n")
                await (await world.mail()).append(words[0], raw)
            case "poll":
                client = int(words[0])
                await self._hear(client, await self._clients[client].poll())
            case "idle":
                client = int(words[0])
                await self._hear(client, await self._clients[client].idle())
            case "advance":
                world.clock.advance(float(words[0]))
            case "shutdown":
                client = int(words[0])
                self._clients[client].session.shut_down("The server stops")
                await self._hear(client, await self._clients[client].poll())
            case "ends":
                if not self._clients[int(words[0])].ended:
                    raise Disagreement(f"connection {words[0]} should have ended")
            case "quota":
                account = world.authenticator.account
                world.authenticator.account = replace(account, quota_bytes=int(words[0]))
            case _:
                raise ValueError(f"unknown directive: {what}")

    async def _client(self, number: int) -> None:
        if number not in self._clients:
            await self._direct("client", str(number), "tls", "login")

    async def _hear(self, client: int, data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        if not text:
            return
        assert text.endswith("\r\n"), text[-80:]
        self._heard[client].extend(text[:-2].split("\r\n"))

    def _fill_in(self, text: str) -> str:
        return _PIECE.sub(lambda piece: self._names[piece.group(1)[1:]], text)

    def _expect(self, client: int, text: str) -> None:
        heard = self._heard.get(client)
        if not heard:
            raise Disagreement(f"expected {text!r}, heard nothing")
        said = heard.pop(0)
        pattern, place = "", 0
        named = []
        for piece in _PIECE.finditer(text):
            pattern += re.escape(text[place : piece.start()])
            inner = piece.group(1)
            name = re.match(r"(\w+)=", inner)
            if inner.startswith("="):
                pattern += re.escape(self._names[inner[1:]])
            elif name:
                named.append(name.group(1))
                pattern += f"(?P<{name.group(1)}>{inner[name.end() :]})"
            else:
                pattern += f"(?:{inner})"
            place = piece.end()
        pattern += re.escape(text[place:])
        found = re.fullmatch(pattern, said)
        if found is None:
            raise Disagreement(f"expected {text!r}, heard {said!r}")
        for each in named:
            self._names[each] = found.group(each)

    def _check_silence(self, client: int) -> None:
        if self._heard.get(client):
            raise Disagreement(f"connection {client} heard more: {self._heard[client]}")

    def _write_down(self) -> None:
        for client, lines in self._heard.items():
            self.said.extend(f"S{'' if client == 1 else client}: {line}" for line in lines)
            lines.clear()


async def run(text: str, make: Callable[..., World]) -> None:
    """Raises Disagreement."""
    await Runner(text, make).run()


def main() -> None:
    for name in sys.argv[1:]:
        runner = Runner(Path(name).read_text(), fake_world)
        asyncio.run(runner.run(check=False))
        print("\n".join(line.encode("utf-8", "backslashreplace").decode() for line in runner.said))


if __name__ == "__main__":
    main()
