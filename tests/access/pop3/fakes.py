"""A mailbox, locks, logins and a connection without stores and sockets."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from everpost.access.pop3.door import Pop3Door, Pop3Limits
from everpost.access.pop3.session import Session
from everpost.access.pop3.wire.server import Pop3Config, Pop3Machine
from everpost.accounts.authenticate import BadLogin
from everpost.core.errors import TryLater
from everpost.net.connection import ConnectionLost, Endpoint
from tests.accounts.fakes import FakeClock

ANN = SimpleNamespace(account_id=7, quota_bytes=0)


class FakeLogins:
    """ann with the password `secret`; SASL as PLAIN."""

    def mechanisms(self, tls: bool, binding: bool) -> tuple[str, ...]:
        return ("PLAIN",) if tls else ()

    async def login(self, user: str, password: str, peer: str, service: str) -> object:
        if (user, password) != ("ann@example.test", "secret word"):
            raise BadLogin
        return ANN

    def session(self, mechanism: str, peer: str, service: str, binding: object) -> "FakeExchange":
        return FakeExchange(self)


@dataclass
class FakeExchange:
    logins: FakeLogins

    async def step(self, response: bytes | None) -> object:
        if response is None:
            return b""
        _, user, password = response.decode().split("\0")
        return await self.logins.login(user, password, "", "")


@dataclass
class FakeLease:
    locks: "FakeLocks"
    name: str

    async def renew(self, seconds: float) -> bool:
        if self.locks.broken:
            raise TryLater("the database is away")
        self.locks.renewed += 1
        return self.locks.holders.get(self.name) is self

    async def release(self) -> None:
        if self.locks.holders.get(self.name) is self:
            del self.locks.holders[self.name]


@dataclass
class FakeLocks:
    holders: dict[str, FakeLease] = field(default_factory=dict)
    renewed: int = 0
    broken: bool = False

    async def acquire(self, name: str, seconds: float) -> FakeLease | None:
        if name in self.holders:
            return None
        lease = self.holders[name] = FakeLease(self, name)
        return lease


@dataclass
class FakeMailboxes:
    """One inbox: UID to message; the view of a session stays as it was."""

    messages: dict[int, bytes]
    open_views: int = 0
    broken: bool = False

    async def open(self, account_id: int, quota: int | None) -> "FakeMailboxes":
        return self

    async def select(self, name: str, read_only: bool) -> "FakeView":
        assert name == "INBOX" and not read_only
        self.open_views += 1
        return FakeView(self, sorted(self.messages))


@dataclass
class FakeView:
    mailboxes: FakeMailboxes
    uids: list[int]
    folder: object = field(default_factory=lambda: SimpleNamespace(uid_validity=99))

    def rows(self, uids: list[int]) -> list[object]:
        return [SimpleNamespace(uid=uid, size=len(self.mailboxes.messages[uid])) for uid in uids]

    async def raw(self, uid: int) -> bytes | None:
        return self.mailboxes.messages.get(uid)

    async def headers(self, uids: list[int]) -> dict[int, bytes]:
        found = self.mailboxes.messages
        return {uid: found[uid][: found[uid].index(b"\r\n\r\n") + 4] for uid in uids if uid in found}

    async def remove(self, uids: list[int]) -> list[int]:
        if self.mailboxes.broken:
            raise TryLater("the database is away")
        return [uid for uid in uids if self.mailboxes.messages.pop(uid, None) is not None]

    def close(self) -> None:
        self.mailboxes.open_views -= 1


@dataclass(eq=False)
class FakeConnection:
    peer: Endpoint = field(default_factory=lambda: Endpoint("192.0.2.1", 4711))
    tls: object = "TLS"
    sent: list[bytes] = field(default_factory=list)
    largest: int = 0
    lost: bool = False
    aborted: bool = False
    certificate_context: object = None

    def send(self, data: bytes) -> None:
        self.largest = max(self.largest, len(data))
        self.sent.append(data)

    async def drain(self, timeout: float) -> None:
        if self.lost:
            raise ConnectionLost("the connection was lost")

    def wake(self) -> None: ...

    def abort(self) -> None:
        self.aborted = True

    @property
    def binds_channels(self) -> bool:
        return self.tls is not None

    def channel_binding(self, kind: str) -> bytes | None:
        return None


class Client:
    """Does what the driver does, one call at a time."""

    def __init__(self, door: Pop3Door, *, tls: bool = True) -> None:
        self.connection = FakeConnection(tls="TLS" if tls else None)
        self.machine = Pop3Machine(door.config)
        self.session = Session(self.connection, self.machine, door)  # type: ignore[arg-type]

    async def start(self) -> bytes:
        await self.session.start()
        return await self._settle()

    async def say(self, data: bytes) -> bytes:
        """What the server answers, all of it."""
        self.machine.receive_data(data)
        return await self._settle()

    async def _settle(self) -> bytes:
        while not self.session.finished and self.session.upgrade is None:
            event = self.machine.next_event()
            if event is None:
                break
            await self.session.handle(event)
        sent = b"".join(self.connection.sent) + self.machine.data_to_send()
        self.connection.sent.clear()
        if self.session.upgrade is not None:
            self.session.upgrade = None
            self.connection.tls = "TLS"
            await self.session.tls_started()
        return sent

    async def log_in(self) -> bytes:
        await self.start()
        return await self.say(b"USER ann@example.test\r\nPASS secret word\r\n")


def make_door(messages: dict[int, bytes], **limits: float) -> Pop3Door:
    """A door whose parts are all fakes; STLS is offered."""
    return Pop3Door(
        Pop3Config("mail.example.test", tls_available=True),
        FakeLogins(),  # type: ignore[arg-type]
        FakeMailboxes(messages),  # type: ignore[arg-type]
        FakeLocks(),
        FakeClock(),
        FakeCertificates(),  # type: ignore[arg-type]
        Pop3Limits(**limits),
    )


class FakeCertificates:
    context = "context"

    def end_point(self, context: object) -> bytes:
        return b"end point"
