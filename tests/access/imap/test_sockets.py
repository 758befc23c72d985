"""Everything real, but the network card: imaplib against the server over TLS, on both engines."""

import asyncio
import hashlib
import imaplib
import random
import ssl
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from everpost.access.imap.session import Session
from everpost.access.imap.settings import ImapSettings
from everpost.access.imap.wire.machine import ImapMachine
from everpost.accounts import passwords
from everpost.accounts.authenticate import Authenticator
from everpost.accounts.directory import Directory
from everpost.accounts.sasl.client import ScramClient
from everpost.core.address import Address
from everpost.core.clock import SystemClock
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.content import Contents
from everpost.net.connection import Connection
from everpost.net.drive import drive
from everpost.net.listen import Listener, Server
from everpost.net.tls import CertificateFiles, Certificates, self_signed
from everpost.store.blobs.memory import MemoryBlobs
from everpost.store.feed import Feed
from everpost.store.ports import Database
from tests.access.imap.world import message
from tests.accounts.fakes import FakeSleeper

USER, SECRET = "ann@example.test", "correct horse"


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@dataclass
class House:
    port: int
    mail: AccountMail
    sessions: list[Session]

    def connect(self, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=10)
        assert "LOGINDISABLED" in client.capabilities
        context = trusting()
        context.maximum_version = newest
        client.starttls(context)
        assert "LOGINDISABLED" not in client.capabilities
        return client

    def log_in(self) -> imaplib.IMAP4:
        client = self.connect()
        client.login(USER, SECRET)
        return client


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    clock, feed = SystemClock(), Feed()
    directory = Directory(database, feed, clock)
    await directory.add_domain("example.test")
    account_id = await directory.add_account(Address.parse(USER), passwords.make(SECRET, 0))
    mailboxes = Mailboxes(database, Contents(MemoryBlobs(), clock), feed, clock, random.Random(7))
    certificate, key = self_signed(["mail.example.test"], clock.now())
    files = CertificateFiles(tmp_path / "cert.pem", tmp_path / "key.pem")
    files.certificate.write_bytes(certificate)
    files.key.write_bytes(key)
    certificates = Certificates([files])
    authenticator = Authenticator(directory, clock, sleeper=FakeSleeper())
    sessions: list[Session] = []

    async def serve(connection: Connection) -> None:
        machine = ImapMachine()
        session = Session(
            connection,
            machine,
            mailboxes=mailboxes,
            authenticator=authenticator,
            certificates=certificates,
            settings=ImapSettings(),
            clock=clock,
        )
        sessions.append(session)
        await drive(connection, machine, session)

    server = Server(serve)
    await server.start([Listener("127.0.0.1", 0)])
    yield House(server.ports[0], await mailboxes.open(account_id), sessions)
    for session in sessions:
        session.shut_down("The server stops")
    await server.stop(2)
    authenticator.close()


async def test_a_mail_program(house: House) -> None:
    large = message(3, "z" * 700_000)

    def session() -> None:
        client = house.log_in()
        assert client.append("INBOX", r"(\Seen)", imaplib.Time2Internaldate(time.time()), message(1))[0] == "OK"
        assert client.append("INBOX", None, None, large)[0] == "OK"
        assert client.select("INBOX") == ("OK", [b"2"])
        found = client.fetch("2", "(RFC822)")[1]
        assert found[0][1] == large
        assert client.search(None, "UNSEEN") == ("OK", [b""])
        assert client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert client.copy("1", "Archive")[0] == "OK"
        assert client.expunge() == ("OK", [b"1"])
        assert client.create("Work/2026")[0] == "OK"
        assert b'(\\HasNoChildren) "/" Work/2026' in client.list()[1]
        assert client.status("Archive", "(MESSAGES UIDNEXT)")[1] == [b"Archive (MESSAGES 1 UIDNEXT 2)"]
        assert client.select("Nowhere")[0] == "NO"
        client.logout()

    await asyncio.to_thread(session)
    assert (await house.mail.status("INBOX")).messages == 1


async def test_binding_is_offered_where_clients_can_do_it(house: House) -> None:
    """Under TLS 1.3 they use tls-exporter, which is not to be had here."""

    def session() -> None:
        for newest, offered in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, False)):
            client = house.connect(newest)
            assert ("AUTH=SCRAM-SHA-256-PLUS" in client.capabilities) == offered
            assert "AUTH=SCRAM-SHA-256" in client.capabilities
            client.logout()

    await asyncio.to_thread(session)


async def test_scram_bound_to_the_channel(house: House) -> None:
    def session() -> None:
        client = house.connect(ssl.TLSVersion.TLSv1_2)
        certificate = client.socket().getpeercert(binary_form=True)
        assert certificate is not None
        # RFC 5929 section 4.1
        scram = ScramClient(
            USER, SECRET, "nonce", binding=("tls-server-end-point", hashlib.sha256(certificate).digest())
        )
        challenges: list[bytes] = []

        def answer(challenge: bytes) -> bytes:
            challenges.append(challenge)
            match len(challenges):
                case 1:
                    return scram.first()
                case 2:
                    return scram.final(challenge)
                case _:
                    scram.check(challenge)
                    return b""

        assert client.authenticate("SCRAM-SHA-256-PLUS", answer)[0] == "OK"
        assert len(challenges) == 3
        client.logout()

    await asyncio.to_thread(session)


async def test_a_wrong_password(house: House) -> None:
    def session() -> None:
        client = house.connect()
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login(USER, "wrong")
        client.logout()

    await asyncio.to_thread(session)


async def test_idle_hears_of_new_mail_at_once(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    await reader.readline()
    writer.write(b"a STARTTLS\r\n")
    await reader.readline()
    await writer.start_tls(trusting())
    writer.write(f'b LOGIN {USER} "{SECRET}"\r\nc SELECT INBOX\r\nd IDLE\r\n'.encode())
    while not (await reader.readline()).startswith(b"+ "):
        pass
    async with asyncio.timeout(5):
        await house.mail.append("INBOX", message(1))
        assert await reader.readline() == b"* 1 EXISTS\r\n"
        assert await reader.readline() == b"* 1 RECENT\r\n"
        house.sessions[0].shut_down("The server stops")
        assert await reader.readline() == b"* BYE The server stops\r\n"
        assert await reader.readline() == b""
    writer.close()


async def test_compression(house: House) -> None:
    large = message(1, "z" * 700_000)
    await house.mail.append("INBOX", large)
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    await reader.readline()
    writer.write(b"a STARTTLS\r\n")
    await reader.readline()
    await writer.start_tls(trusting())
    writer.write(f'b LOGIN {USER} "{SECRET}"\r\n'.encode())
    assert b"COMPRESS=DEFLATE" in await reader.readline()
    writer.write(b"c COMPRESS LZW\r\nd COMPRESS DEFLATE\r\n")
    assert await reader.readline() == b"c NO [CANNOT] There is no such mechanism here\r\n"
    assert await reader.readline() == b"d OK Compression begins\r\n"
    packer, unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
    packed = 0

    async def until(end: bytes) -> bytes:
        nonlocal packed
        heard = b""
        async with asyncio.timeout(10):
            while not heard.endswith(end):
                data = await reader.read(65_536)
                assert data
                packed += len(data)
                heard += unpacker.decompress(data)
        return heard

    def say(data: bytes) -> None:
        writer.write(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))

    say(b"e SELECT INBOX\r\nf FETCH 1 BODY.PEEK[]\r\n")
    assert large in await until(b"f OK FETCH completed\r\n")
    assert packed < 20_000
    say(b"g COMPRESS DEFLATE\r\nh CAPABILITY\r\n")
    heard = await until(b"h OK CAPABILITY completed\r\n")
    assert b"g NO [COMPRESSIONACTIVE]" in heard and b"COMPRESS=DEFLATE" not in heard
    say(b"i APPEND INBOX {%d+}\r\n%b\r\nj IDLE\r\n" % (len(large), large))
    await until(b"+ idling\r\n")
    await house.mail.append("INBOX", message(2))
    await until(b"* 3 RECENT\r\n")
    say(f'DONE\r\nk UNAUTHENTICATE\r\nl LOGIN {USER} "{SECRET}"\r\nm NOOP\r\n'.encode())
    heard = await until(b"m OK NOOP completed\r\n")
    assert b"k OK" in heard and b"l OK" in heard
    writer.write(b"\xff\xff no deflate")
    async with asyncio.timeout(10):
        while await reader.read(65_536):
            pass
    writer.close()
    view = await house.mail.select("INBOX")
    assert await view.raw(2) == large
    view.close()
