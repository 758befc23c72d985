"""The node's certificates, from its settings."""

from everpost.net.tls import CertificateFiles, Certificates
from everpost.node.settings.model import Settings


def certificates_of(settings: Settings) -> Certificates:
    """The first is the default, the others are chosen by name. Raises BadCertificate."""
    pairs = [CertificateFiles(settings.tls.certificate, settings.tls.key)]
    pairs += [CertificateFiles(pair.certificate, pair.key) for pair in settings.tls.more]
    return Certificates(pairs)
