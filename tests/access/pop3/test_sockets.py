"""Everything real, but the network card: poplib against the door over TLS, on both engines."""

import asyncio
import poplib
import random
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from everpost.access.pop3.door import Pop3Door
from everpost.access.pop3.serve import serve
from everpost.access.pop3.wire.server import Pop3Config
from everpost.accounts import passwords
from everpost.accounts.authenticate import Authenticator
from everpost.accounts.directory import Directory
from everpost.core.address import Address
from everpost.core.clock import SystemClock
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.content import Contents
from everpost.net.listen import Listener, Server
from everpost.net.tls import CertificateFiles, Certificates, self_signed
from everpost.store.blobs.memory import MemoryBlobs
from everpost.store.feed import Feed
from everpost.store.leases import Leases
from everpost.store.ports import Database
from tests.accounts.fakes import FakeSleeper

USER, SECRET = "ann@example.test", "correct horse"


@dataclass
class House:
    port: int
    mail: AccountMail

    def connect(self) -> poplib.POP3:
        client = poplib.POP3("127.0.0.1", self.port, timeout=10)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.stls(context)
        return client

    def log_in(self) -> poplib.POP3:
        client = self.connect()
        client.user(USER)
        client.pass_(SECRET)
        return client


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    clock, feed, chance = SystemClock(), Feed(), random.Random(7)
    directory = Directory(database, feed, clock)
    await directory.add_domain("example.test")
    account_id = await directory.add_account(Address.parse(USER), passwords.make(SECRET, 0))
    mailboxes = Mailboxes(database, Contents(MemoryBlobs(), clock), feed, clock, chance)
    certificate, key = self_signed(["mail.example.test"], clock.now())
    files = CertificateFiles(tmp_path / "cert.pem", tmp_path / "key.pem")
    files.certificate.write_bytes(certificate)
    files.key.write_bytes(key)
    authenticator = Authenticator(directory, clock, sleeper=FakeSleeper())
    door = Pop3Door(
        Pop3Config("mail.example.test", tls_available=True),
        authenticator,
        mailboxes,
        Leases(database, clock, "test"),
        clock,
        Certificates([files]),
    )
    server = Server(lambda connection: serve(connection, door))
    await server.start([Listener("127.0.0.1", 0)])
    yield House(server.ports[0], await mailboxes.open(account_id))
    door.close()
    await server.stop(2)
    authenticator.close()


async def test_a_mail_program(house: House) -> None:
    raws = [
        b"Subject: one\r\n\r\nhello\r\n",
        b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n",
        b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 60_000,
    ]
    for raw in raws:
        await house.mail.append("INBOX", raw)

    def session() -> list[bytes]:
        client = house.log_in()
        assert client.stat() == (3, sum(map(len, raws)))
        found = [b"\r\n".join(client.retr(number)[1]) + b"\r\n" for number in (1, 2, 3)]
        assert client.top(2, 1)[1] == [b"Subject: dots", b"", b"."]
        client.dele(2)
        client.quit()
        return found

    assert await asyncio.to_thread(session) == raws

    def again() -> list[bytes]:
        client = house.log_in()
        ids = client.uidl()[1]
        client.quit()
        return ids

    ids = await asyncio.to_thread(again)
    validity = (await house.mail.status("INBOX")).uid_validity
    assert ids == [f"1 {validity}-1".encode(), f"2 {validity}-3".encode()]


async def test_one_at_a_time(house: House) -> None:
    def sessions() -> None:
        first = house.log_in()
        second = house.connect()
        second.user(USER)
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            second.pass_(SECRET)
        first.quit()
        second.user(USER)
        second.pass_(SECRET)
        # Gone without QUIT: the next one need not wait.
        second.close()

    await asyncio.to_thread(sessions)

    def next_one() -> None:
        for _ in range(50):
            try:
                house.log_in().quit()
                return
            except poplib.error_proto:
                continue
        raise AssertionError("the maildrop stayed locked")

    await asyncio.to_thread(next_one)


async def test_wrong_and_plain_logins(house: House) -> None:
    def sessions() -> None:
        plain = poplib.POP3("127.0.0.1", house.port, timeout=10)
        assert "USER" not in plain.capa() and "STLS" in plain.capa()
        with pytest.raises(poplib.error_proto, match="encryption is required"):
            plain.user(USER)
        plain.quit()
        client = house.connect()
        answers = []
        for user in (USER, "nobody@example.test"):
            client.user(user)
            with pytest.raises(poplib.error_proto) as caught:
                client.pass_("wrong one")
            answers.append(str(caught.value))
        assert answers[0] == answers[1] and "[AUTH]" in answers[0]
        client.quit()

    await asyncio.to_thread(sessions)
