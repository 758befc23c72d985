"""TLS: certificates that can be reloaded, contexts for both sides, channel bindings."""

import datetime
import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from everpost.core.errors import Refused


class BadCertificate(Refused):
    """A certificate or key cannot be used."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where a certificate with its chain and its key lie, both PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class _Loaded:
    names: frozenset[str]
    context: ssl.SSLContext
    end_point: bytes
    not_after: datetime.datetime


def server_context() -> ssl.SSLContext:
    """A context for servers: TLS 1.2 or newer, nothing else changed from OpenSSL's defaults."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def client_context(*, verify: bool) -> ssl.SSLContext:
    """A context for connections to others; opportunistic use does not verify (RFC 7435)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Certificates:
    """The server's certificates: the first is the default, the others are chosen by name (SNI)."""

    def __init__(self, files: Sequence[CertificateFiles]) -> None:
        """Raises BadCertificate."""
        if not files:
            raise BadCertificate("there is no certificate")
        self._files = tuple(files)
        self._loaded: list[_Loaded] = []
        # Listeners hold this one; what it does is decided by name at each handshake, so a reload reaches them.
        self.context = server_context()
        self.context.sni_callback = self._choose
        self.reload()

    def reload(self) -> None:
        """Read all files again. Raises BadCertificate and then keeps what it had."""
        loaded = [_load(files) for files in self._files]
        self.context.load_cert_chain(self._files[0].certificate, self._files[0].key)
        self._loaded = loaded

    def _choose(self, tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        tls.context = self._by_name(name).context

    def _by_name(self, name: str | None) -> _Loaded:
        if name is not None:
            name = name.lower()
            wildcard = "*." + name.partition(".")[2]
            for loaded in self._loaded:
                if name in loaded.names or wildcard in loaded.names:
                    return loaded
        return self._loaded[0]

    def end_point(self, context: ssl.SSLContext | None) -> bytes:
        """`tls-server-end-point` (RFC 5929 section 4) of the certificate behind a connection's context."""
        for loaded in self._loaded:
            if loaded.context is context:
                return loaded.end_point
        return self._loaded[0].end_point

    @property
    def not_after(self) -> datetime.datetime:
        """When the first of them ends."""
        return min(loaded.not_after for loaded in self._loaded)

    @property
    def names(self) -> frozenset[str]:
        """All names they are valid for."""
        return frozenset().union(*(loaded.names for loaded in self._loaded))


def _load(files: CertificateFiles) -> _Loaded:
    context = server_context()
    try:
        context.load_cert_chain(files.certificate, files.key)
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise BadCertificate(f"cannot use {files.certificate} with {files.key}: {error}") from error
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = frozenset(name.lower() for name in alternatives.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = frozenset()
    # RFC 5929 section 4.1: MD5 and SHA-1 are replaced by SHA-256.
    used = certificate.signature_hash_algorithm
    name = used.name if used is not None and used.name not in {"md5", "sha1"} else "sha256"
    der = certificate.public_bytes(serialization.Encoding.DER)
    return _Loaded(names, context, hashlib.new(name, der).digest(), certificate.not_valid_after_utc)


def self_signed(names: Sequence[str], now: float, days: int = 825) -> tuple[bytes, bytes]:
    """A certificate and key (PEM) for these names, valid from an hour before `now` (unix seconds)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    start = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
