"""Certificates: usable, for the right name, in time."""

import datetime
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from everpost.net.tls import BadCertificate, CertificateFiles, Certificates
from everpost.node.check.finding import Finding, fault, ok, warning
from everpost.node.settings.model import Settings

SOON = datetime.timedelta(days=14)


def certificates(settings: Settings) -> Iterator[Finding]:
    """The first is the node's own; the others are only looked at for use and time."""
    pairs = [
        (settings.tls.certificate, settings.tls.key),
        *((each.certificate, each.key) for each in settings.tls.more),
    ]
    for place, (certificate, key) in enumerate(pairs):
        yield from _one(certificate, key, "" if place else settings.node.hostname)


def _one(path: Path, key: Path, hostname: str) -> Iterator[Finding]:
    try:
        names = Certificates([CertificateFiles(path, key)]).names
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (BadCertificate, OSError, ValueError) as error:
        yield fault(
            "certificate", str(error), "both files are PEM, belong together, and are readable by Everpost's user"
        )
        return
    subject = f"certificate {path}"
    if hostname and not covers(names, hostname):
        yield fault(
            subject, f"is for {', '.join(sorted(names)) or 'no name'}, not for {hostname}", "get one for node.hostname"
        )
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    if left < datetime.timedelta():
        yield fault(subject, f"ended on {certificate.not_valid_after_utc:%Y-%m-%d}", "renew it, then send SIGHUP")
    elif left < SOON:
        yield warning(subject, f"ends on {certificate.not_valid_after_utc:%Y-%m-%d}", "renew it, then send SIGHUP")
    else:
        yield ok(subject, f"good until {certificate.not_valid_after_utc:%Y-%m-%d} for {', '.join(sorted(names))}")
    if certificate.issuer == certificate.subject:
        yield warning(subject, "is self-signed: mail programs will warn their users", "get one that is trusted")
    mode = key.stat().st_mode
    if mode & stat.S_IROTH:
        yield warning(f"key {key}", "everybody on this machine can read it", f"chmod o-r {key}")


def covers(names: frozenset[str], hostname: str) -> bool:
    """Whether one of a certificate's names fits (RFC 9525 section 6.3: a wildcard stands for one label)."""
    hostname = hostname.lower().rstrip(".")
    return hostname in names or "*." + hostname.partition(".")[2] in names
