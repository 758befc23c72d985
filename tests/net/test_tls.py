import asyncio
import datetime
import hashlib
import ssl
import time
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from everpost.net.connection import Connection
from everpost.net.listen import Listener, Server
from everpost.net.tls import BadCertificate, CertificateFiles, Certificates, client_context, self_signed, server_context
from tests.net.conftest import Write
from tests.world.certificates import Authority

# One loop is enough: what differs between them is in connections and listeners.
LOOPS = ("uvloop",)


class Site:
    """A TLS server that says what it knows of the client, and a client that no one here wrote."""

    def __init__(self, files: list[CertificateFiles]) -> None:
        self.certificates = Certificates(files)
        self._server = Server(self._handle)

    async def _handle(self, connection: Connection) -> None:
        assert connection.tls is not None
        connection.send(f"{connection.tls.server_name}\n".encode())

    async def start(self) -> None:
        await self._server.start([Listener("127.0.0.1", 0, self.certificates.context)])

    async def stop(self) -> None:
        await self._server.stop(0)

    async def visit(
        self, name: str | None = None, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None
    ) -> "Visit":
        return await asyncio.to_thread(self._visit, name, context or client_context(verify=False), session)

    def _visit(self, name: str | None, context: ssl.SSLContext, session: ssl.SSLSession | None) -> "Visit":
        import socket

        with context.wrap_socket(
            socket.create_connection(("127.0.0.1", self._server.ports[0]), 5), server_hostname=name, session=session
        ) as tls:
            said = tls.recv(100).decode().strip()
            der = tls.getpeercert(binary_form=True)
            assert der is not None
            return Visit(x509.load_der_x509_certificate(der), said, tls.session, bool(tls.session_reused))


class Visit:
    def __init__(self, certificate: x509.Certificate, said: str, session: ssl.SSLSession | None, reused: bool) -> None:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.names = alternatives.get_values_for_type(x509.DNSName)
        self.serial = certificate.serial_number
        self.said = said
        self.session = session
        self.reused = reused


@pytest.fixture
async def site(write_certificate: Write) -> AsyncIterator[Site]:
    site = Site([write_certificate("a.test", "www.a.test"), write_certificate("*.b.test"), write_certificate("c.test")])
    await site.start()
    yield site
    await site.stop()


async def test_the_certificate_is_chosen_by_name(site: Site) -> None:
    for asked, got in {
        "www.a.test": "a.test",
        "x.b.test": "*.b.test",
        "C.TEST": "c.test",
        "b.test": "a.test",
        "x.y.b.test": "a.test",
        "unknown.test": "a.test",
    }.items():
        visit = await site.visit(asked)
        assert visit.names[0] == got, asked
        assert visit.said.lower() == asked.lower()
    assert (await site.visit(None)).names[0] == "a.test"
    assert (await site.visit(None)).said == "None"
    assert site.certificates.names == {"a.test", "www.a.test", "*.b.test", "c.test"}


async def test_a_reload_reaches_open_listeners(site: Site, write_certificate: Write) -> None:
    before = await site.visit("c.test")
    write_certificate("c.test", folder=site.certificates._files[2].certificate.parent)
    assert (await site.visit("c.test")).serial == before.serial
    site.certificates.reload()
    assert (await site.visit("c.test")).serial != before.serial


@pytest.mark.parametrize("damage", ["missing", "garbage", "other key", "encrypted", "empty"])
async def test_a_failed_reload_keeps_what_there_was(site: Site, write_certificate: Write, damage: str) -> None:
    files = site.certificates._files[2]
    key = files.key.read_bytes()
    match damage:
        case "missing":
            files.key.unlink()
        case "garbage":
            files.certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        case "other key":
            write_certificate("d.test", folder=files.certificate.parent)
            files.key.write_bytes(key)
        case "encrypted":
            private = ec.generate_private_key(ec.SECP256R1())
            files.key.write_bytes(
                private.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.BestAvailableEncryption(b"secret"),
                )
            )
        case "empty":
            files.certificate.write_bytes(b"")
    with pytest.raises(BadCertificate):
        site.certificates.reload()
    assert (await site.visit("c.test")).names == ["c.test"]
    assert (await site.visit("a.test")).names[0] == "a.test"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_sessions_are_resumed_also_over_a_reload(site: Site, version: ssl.TLSVersion) -> None:
    context = client_context(verify=False)
    context.minimum_version = context.maximum_version = version
    first = await site.visit("c.test", context)
    assert not first.reused
    assert (await site.visit("c.test", context, first.session)).reused
    site.certificates.reload()
    assert (await site.visit("c.test", context, first.session)).reused


async def test_verifying_clients_want_a_certificate_they_know(site: Site) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await site.visit("a.test", client_context(verify=True))


async def test_a_chain_is_sent_whole(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("chain")
    authority = Authority()
    certificate, key = authority.issue("chain.test")
    (folder / "cert.pem").write_bytes(certificate + authority.pem)
    (folder / "key.pem").write_bytes(key)
    site = Site([CertificateFiles(folder / "cert.pem", folder / "key.pem")])
    await site.start()
    assert (await site.visit("chain.test", authority.client_context())).names == ["chain.test"]
    await site.stop()


def test_when_the_first_ends(write_certificate: Write) -> None:
    certificates = Certificates([write_certificate("a.test", days=90), write_certificate("b.test", days=9)])
    left = certificates.not_after - datetime.datetime.now(datetime.UTC)
    assert 8 < left / datetime.timedelta(days=1) < 9


def test_without_certificates_there_is_no_server() -> None:
    with pytest.raises(BadCertificate):
        Certificates([])


def test_a_self_signed_certificate_names_hosts_and_addresses() -> None:
    now = time.time()
    pem, _ = self_signed(["mx.a.test", "127.0.0.1", "::1"], now, days=10)
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.a.test"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert certificate.not_valid_before_utc.timestamp() == int(now - 3600)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_the_end_point_of_the_default_certificate(files: CertificateFiles) -> None:
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert Certificates([files]).end_point(None) == hashlib.sha256(der).digest()


def test_nothing_older_than_tls_1_2() -> None:
    for context in (server_context(), client_context(verify=True), client_context(verify=False)):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert client_context(verify=True).verify_mode == ssl.CERT_REQUIRED
    assert client_context(verify=True).check_hostname
    assert not server_context().options & ssl.OP_NO_TICKET
