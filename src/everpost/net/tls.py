"""TLS: certificates that can be reloaded, contexts for both sides, channel bindings."""

import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from everpost.core.errors import Refused

RFCS = (5929, 6066, 7435)

# What is known of a context or a handshake for as long as a connection uses it, also after a reload.
_END_POINTS: WeakKeyDictionary[ssl.SSLContext, bytes] = WeakKeyDictionary()
_NAMES: WeakKeyDictionary[ssl.SSLObject | ssl.SSLSocket, str] = WeakKeyDictionary()


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
    not_after: datetime.datetime


def server_context() -> ssl.SSLContext:
    """A context for servers: TLS 1.2 or newer, nothing else changed from OpenSSL's defaults."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def client_context(*, verify: bool) -> ssl.SSLContext:
    """A context for connections to others; opportunistic use does not verify (RFC 7435)."""
    if verify:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # RFC 7435 section 3: where the alternative is plain text, a short key is better than none.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def end_point_of(tls: ssl.SSLObject, *, server_side: bool) -> bytes | None:
    """`tls-server-end-point` (RFC 5929 section 4) of a connection; None if the certificate is not known."""
    if server_side:
        return _END_POINTS.get(tls.context)
    der = tls.getpeercert(binary_form=True)
    return None if der is None else _end_point(x509.load_der_x509_certificate(der))


def requested_name(tls: ssl.SSLObject) -> str | None:
    """What the client of a connection under `Certificates` asked for (RFC 6066 section 3)."""
    return _NAMES.get(tls)


class Certificates:
    """The server's certificates: the first is the default, the others are chosen by name (SNI)."""

    def __init__(self, files: Sequence[CertificateFiles]) -> None:
        """Raises BadCertificate."""
        if not files:
            raise BadCertificate("there is no certificate")
        self._files = tuple(files)
        self._loaded: list[_Loaded] = []
        # Listeners hold this one, which has no certificate of its own: each handshake continues with the context that
        # is current for the name asked for, so a reload reaches all listeners.
        self.context = server_context()
        self.context.sni_callback = self._choose
        self.reload()

    def reload(self) -> None:
        """Read all files again. Raises BadCertificate and then keeps what it had."""
        self._loaded = [_load(files) for files in self._files]

    def _choose(self, tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        if name is not None:
            _NAMES[tls] = name
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
        """`tls-server-end-point` (RFC 5929 section 4) of the certificate behind a connection's context, also if the
        files were reloaded since; of the default certificate for a context that is not ours.
        """
        known = None if context is None else _END_POINTS.get(context)
        return _END_POINTS[self._loaded[0].context] if known is None else known

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
        # Without a password here OpenSSL asks the terminal for one.
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise BadCertificate(f"cannot use {files.certificate} with {files.key}: {error}") from error
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = frozenset(name.lower() for name in alternatives.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = frozenset()
    _END_POINTS[context] = _end_point(certificate)
    return _Loaded(names, context, certificate.not_valid_after_utc)


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _end_point(certificate: x509.Certificate) -> bytes:
    # RFC 5929 section 4.1: MD5 and SHA-1 are replaced by SHA-256.
    used = certificate.signature_hash_algorithm
    name = used.name if used is not None and used.name not in {"md5", "sha1"} else "sha256"
    return hashlib.new(name, certificate.public_bytes(serialization.Encoding.DER)).digest()


def self_signed(names: Sequence[str], now: float, days: int = 825) -> tuple[bytes, bytes]:
    """A certificate and key (PEM) for host names or IP addresses, valid from an hour before `now` (unix seconds)."""
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
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
