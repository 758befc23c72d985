"""Connections without sockets, with the methods of `net.connection.Connection` that a client uses."""

from dataclasses import dataclass, field

from everpost.net.connection import ConnectionLost, Endpoint, TlsInfo
from tests.smtp.scripted import Scripted


@dataclass
class Wire:
    """What both kinds have in common."""

    peer: Endpoint = field(default_factory=lambda: Endpoint("192.0.2.1", 25))
    tls: TlsInfo | None = None
    sent: list[bytes] = field(default_factory=list)
    closed: bool = False
    aborted: bool = False

    @property
    def said(self) -> bytes:
        return b"".join(self.sent)

    async def drain(self, timeout: float) -> None:
        pass

    async def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


@dataclass
class Joined(Wire):
    """Leads straight to a server's machine; its answers come back in pieces of `size` bytes."""

    session: Scripted = field(kw_only=True)
    size: int = 0
    _waiting: bytes = b""

    def __post_init__(self) -> None:
        self._waiting = self.session.greet()

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        self._waiting += self.session.feed(data)

    async def receive(self, timeout: float) -> bytes | None:
        data = self._waiting[: self.size] if self.size else self._waiting
        self._waiting = self._waiting[len(data) :]
        return data

    async def start_tls(self, context: object, **_: object) -> None:
        self.session.start_tls()
        self.tls = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384")


@dataclass
class Canned(Wire):
    """Answers what a list says: bytes, an exception to raise, or b"" for the end of the stream."""

    answers: list[bytes | BaseException] = field(default_factory=list)
    drain_fails: bool = False
    handshakes: int = 0

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def drain(self, timeout: float) -> None:
        if self.drain_fails:
            raise ConnectionLost("the connection was lost")

    async def receive(self, timeout: float) -> bytes | None:
        assert timeout > 0
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def start_tls(self, context: object, **_: object) -> None:
        self.handshakes += 1
        self.tls = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384")
