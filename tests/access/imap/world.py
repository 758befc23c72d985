"""IMAP sessions without sockets: clients that feed a machine and read what comes out."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from everpost.access.imap.session import Session
from everpost.access.imap.settings import ImapSettings
from everpost.access.imap.wire.machine import ImapMachine
from everpost.accounts.authenticate import BadExchange, BadLogin
from everpost.accounts.values import Account
from everpost.core.address import Address
from everpost.core.errors import TryLater
from everpost.core.ids import AccountId, DomainId, TenantId
from everpost.mailbox.account import Mailboxes
from everpost.mailbox.content import Contents
from everpost.net.connection import Endpoint, TlsInfo
from everpost.store.feed import Feed
from everpost.store.ports import Database
from tests.access.imap.fake_mailbox import FakeMailboxes
from tests.fakes import FakeClock

PASSWORD = "sesame"


class FakeConnection:
    """The part of net.connection.Connection that a session uses."""

    def __init__(self, *, tls: bool) -> None:
        self.peer = Endpoint("192.0.2.1", 4711)
        self.local = Endpoint("192.0.2.2", 143)
        self.tls = TlsInfo("TLSv1.3", "TLS_AES_128_GCM_SHA256") if tls else None
        self.certificate_context = None
        self.sent: list[bytes] = []
        self.largest = 0
        self.woken = False
        self.deflate = None

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        self.largest = max(self.largest, len(data))

    async def drain(self, timeout: float) -> None:
        pass

    def wake(self) -> None:
        self.woken = True

    @property
    def binds_channels(self) -> bool:
        return self.tls is not None

    def channel_binding(self, kind: str) -> bytes | None:
        return b"end point" if kind == "tls-server-end-point" and self.tls else None


class FakeCertificates:
    """The part of net.tls.Certificates that a session uses."""

    context = SimpleNamespace(name="context")

    def end_point(self, context: object) -> bytes:
        return b"end point"


class FakeExchange:
    """PLAIN in one or two steps; SCRAM-SHA-256 with a made-up challenge and a final message."""

    def __init__(self, logins: "FakeAuthenticator", mechanism: str) -> None:
        self._logins = logins
        self._mechanism = mechanism
        self._steps = 0

    async def step(self, response: bytes | None) -> bytes | Account:
        self._steps += 1
        if response is None:
            return b""
        if self._mechanism == "PLAIN":
            if response.count(b"\0") != 2:
                raise BadExchange("malformed authentication message")
            _, user, password = response.decode("utf-8", "replace").split("\0")
            return await self._logins.login(user, password, "", "")
        if response and self._steps < 3:
            return b"challenge"
        return self._logins.account


class FakeAuthenticator:
    """One account, one password."""

    def __init__(self, *, quota: int = 0) -> None:
        address = Address.parse("user@example.test")
        self.account = Account(AccountId(1), TenantId(1), DomainId(1), address, "User", quota, True)

    def mechanisms(self, tls: bool, binding: bool) -> tuple[str, ...]:
        if not tls:
            return ()
        return (*(("SCRAM-SHA-256-PLUS",) if binding else ()), "SCRAM-SHA-256", "PLAIN", "LOGIN")

    async def login(self, user: str, password: str, peer: str, service: str) -> Account:
        if user == "later":
            raise TryLater("try again later")
        if user == "broken":
            raise RuntimeError("a fault of ours")
        if user not in {"user", "user@example.test"} or password != PASSWORD:
            raise BadLogin
        return self.account

    def session(self, mechanism: str, peer: str, service: str, binding: Callable[[str], bytes | None]) -> FakeExchange:
        return FakeExchange(self, mechanism)


class Client:
    """One connection, driven as `net.drive` drives it."""

    def __init__(self, world: "World", *, tls: bool = True) -> None:
        self.connection = FakeConnection(tls=tls)
        self.machine = ImapMachine()
        self.session = Session(
            self.connection,  # type: ignore[arg-type]
            self.machine,
            mailboxes=world.mailboxes,
            authenticator=world.authenticator,  # type: ignore[arg-type]
            certificates=FakeCertificates(),  # type: ignore[arg-type]
            settings=world.settings,
            clock=world.clock,
        )
        self.ended = False

    async def start(self) -> bytes:
        await self.session.start()
        return self._output()

    async def send(self, data: bytes) -> bytes:
        """Bytes to the server; what it says to them."""
        if not self.ended:
            self.machine.receive_data(data)
        return await self.run()

    async def run(self) -> bytes:
        while not self.session.finished:
            event = self.machine.next_event()
            if event is None:
                break
            await self.session.handle(event)
            if self.session.upgrade is not None:
                self.session.upgrade = None
                self.connection.tls = TlsInfo("TLSv1.3", "TLS_AES_128_GCM_SHA256")
                await self.session.tls_started()
        return await self._end()

    async def poll(self) -> bytes:
        """What the server says by itself, if it was woken."""
        if self.connection.woken and not self.ended:
            self.connection.woken = False
            await self.session.woken()
        return await self._end()

    async def idle(self) -> bytes:
        """What the server does when `patience` is over."""
        if not self.ended and not await self.session.idle():
            self.session.finished = True
        return await self._end()

    async def close(self) -> None:
        self.session.finished = True
        await self._end()

    async def _end(self) -> bytes:
        if self.session.finished and not self.ended:
            self.ended = True
            await self.session.closed()
        return self._output()

    def _output(self) -> bytes:
        output = b"".join(self.connection.sent) + self.machine.data_to_send()
        self.connection.sent.clear()
        return output

    async def log_in(self) -> None:
        output = await self.send(b"login LOGIN user " + PASSWORD.encode() + b"\r\n")
        assert output.startswith(b"login OK"), output

    async def select(self, name: str = "INBOX", command: str = "SELECT") -> bytes:
        output = await self.send(f'select {command} "{name}"\r\n'.encode())
        assert b"\r\nselect OK" in output, output
        return output


@dataclass
class World:
    """A server with one account."""

    mailboxes: Any
    clock: FakeClock
    settings: ImapSettings
    authenticator: FakeAuthenticator = field(default_factory=FakeAuthenticator)
    clients: list[Client] = field(default_factory=list)

    async def mail(self) -> Any:
        return await self.mailboxes.open(self.authenticator.account.account_id, self.authenticator.account.quota_bytes)

    async def client(self, *, tls: bool = True, login: bool = True, select: str | None = None) -> Client:
        client = Client(self, tls=tls)
        self.clients.append(client)
        await client.start()
        if login:
            await client.log_in()
        if select is not None:
            await client.select(select)
        return client

    async def fill(self, name: str, count: int, first: int = 1) -> None:
        mail = await self.mail()
        for number in range(first, first + count):
            await mail.append(name, message(number))

    async def close(self) -> None:
        for client in self.clients:
            await client.close()


def message(number: int, body: str = "") -> bytes:
    return (
        f"Date: Mon, {number % 28 + 1} Feb 1994 21:52:25 -0800\r\n"
        f"From: Fred Foobar <foobar@example.test>\r\n"
        f"Subject: number {number}\r\n"
        f"To: mooch@example.test\r\n"
        f"Message-Id: <B{number}@example.test>\r\n"
        f"\r\n"
        f"{body or f'This is message {number}.'}\r\n"
    ).encode()


def fake_world(**settings: Any) -> World:
    clock = FakeClock(1_790_000_000.0)
    return World(FakeMailboxes(clock), clock, ImapSettings(hostname="mail.example.test", **settings))


class DictBlobs:
    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.held[key] = data

    async def get(self, key: str) -> bytes:
        return self.held[key]

    async def delete(self, key: str) -> None:
        self.held.pop(key, None)


def real_world(database: Database, **settings: Any) -> World:
    clock = FakeClock(1_790_000_000.0)
    mailboxes = Mailboxes(database, Contents(DictBlobs(), clock), Feed(), clock, random.Random(7))
    return World(mailboxes, clock, ImapSettings(hostname="mail.example.test", **settings))
