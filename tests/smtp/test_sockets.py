"""Client and server machine over real sockets and real TLS, pumped by `net`."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from everpost.net.connect import connect
from everpost.net.connection import Connection
from everpost.net.drive import drive
from everpost.net.listen import Listener, Server
from everpost.net.tls import CertificateFiles, Certificates, client_context, self_signed
from everpost.smtp.client import Outgoing, Rcpt, SmtpClient
from everpost.smtp.wire import events
from everpost.smtp.wire.reply import Reply
from everpost.smtp.wire.server import ServerConfig
from tests.smtp.scripted import Scripted


@dataclass
class Host:
    """Everything `Scripted` answers, over sockets; implements `net.drive.Session`."""

    context: ssl.SSLContext
    scripted: Scripted
    finished: bool = False
    upgrade: ssl.SSLContext | None = None
    ended: bool = False

    async def start(self) -> None:
        self.scripted.machine.greet(Reply(220, None, "mx.example ESMTP"))

    async def handle(self, event: events.Event) -> None:
        self.scripted.handle(event)
        self.finished = self.scripted.finished
        if self.scripted.upgrading:
            self.upgrade = self.context

    def patience(self) -> float:
        return 10.0

    async def idle(self) -> bool:
        return False

    async def woken(self) -> None:
        pass

    async def tls_started(self) -> None:
        self.scripted.start_tls()

    async def closed(self) -> None:
        self.ended = True


@dataclass
class Place:
    context: ssl.SSLContext
    port: int = 0
    hosts: list[Host] = field(default_factory=list)

    async def serve(self, connection: Connection) -> None:
        scripted = Scripted.begin(ServerConfig("mx.example", tls_available=True))
        host = Host(self.context, scripted)
        self.hosts.append(host)
        await drive(connection, scripted.machine, host)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    certificate, key = self_signed(["mx.example"], 1_700_000_000)
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key)
    place = Place(Certificates([CertificateFiles(tmp_path / "cert.pem", tmp_path / "key.pem")]).context)
    server = Server(place.serve)
    await server.start([Listener("127.0.0.1", 0)])
    place.port = server.ports[0]
    yield place
    await server.stop(1.0)


async def test_messages_over_tls(place: Place) -> None:
    connection = await connect(["127.0.0.1"], place.port, 5.0)
    client = SmtpClient(connection, "client.example")
    await client.open()
    assert "STARTTLS" in client.offers
    assert await client.start_tls(client_context(verify=False), "mx.example")
    assert connection.tls is not None and connection.tls.version == "TLSv1.3"
    assert "STARTTLS" not in client.offers
    small = b"Subject: hi\r\n\r\n.\r\n..\r\n"
    large = b"".join(b".%d\r\n" % number for number in range(100_000))
    recipients = (Rcpt("b@example.org"), Rcpt("nobody@example.org"))
    for message in (small, large):
        result = await client.send(Outgoing("a@example.com", recipients, message))
        assert [result.outcome(place).code for place in (0, 1)] == [250, 550]
    await client.quit()
    (host,) = place.hosts
    assert host.scripted.messages == [small, large]
    assert host.finished and host.ended
