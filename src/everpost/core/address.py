"""A mail address: local part and domain, with the form used for look-ups."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Self

import idna

from everpost.core.errors import Refused

# RFC 5321 section 4.5.3.1: limits in octets.
MAX_LOCAL = 64
MAX_DOMAIN = 255

# RFC 5322 section 3.2.3 atext, and RFC 6531 section 3.3: any non-ASCII character.
_DOT_STRING = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+)*"
)
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)"')
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_\-]{0,61}[A-Za-z0-9_])?")
_LITERAL = re.compile(r"\[[\x21-\x5a\x5e-\x7e]+\]")


class BadAddress(Refused):
    """Not an address."""

    default_status = "5.1.3"


def domain_to_ascii(domain: str) -> str:
    """The A-label form in lower case, without a trailing dot; an address literal stays as it is.

    Raises BadAddress. RFC 5890 section 2.3.2.1, UTS 46 mapping as browsers and mail programs do.
    """
    if domain.startswith("["):
        if not _LITERAL.fullmatch(domain):
            raise BadAddress("malformed address literal", status="5.1.2")
        return domain.lower()
    name = domain.removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise BadAddress("malformed domain name", status="5.1.2") from error
    name = name.lower()
    if not name or len(name) > MAX_DOMAIN or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise BadAddress("malformed domain name", status="5.1.2")
    return name


def domain_to_unicode(domain: str) -> str:
    """The U-label form for people; the A-label form where that is not possible."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


@dataclass(frozen=True, slots=True)
class Address:
    """An address as written. `key` is what two addresses that mean the same have in common."""

    local: str
    """The local part without quoting."""
    domain: str
    """The domain as written (U-labels, A-labels or an address literal); empty only for `postmaster`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `local@domain` (RFC 5321 section 4.1.2 Mailbox, RFC 6531 for UTF-8). Raises BadAddress."""
        local, at, domain = text.rpartition("@")
        if not at:
            raise BadAddress("an address needs a local part, @ and a domain")
        quoted = _QUOTED.fullmatch(local)
        if quoted:
            local = re.sub(r"\\(.)", r"\1", quoted.group(1))
        elif not _DOT_STRING.fullmatch(local):
            raise BadAddress("malformed local part")
        if len(local.encode()) > MAX_LOCAL:
            raise BadAddress("local part longer than 64 octets")
        if not domain:
            raise BadAddress("missing domain")
        domain_to_ascii(domain)
        return cls(local, domain)

    @property
    def ascii_domain(self) -> str:
        """The domain as A-labels in lower case."""
        return domain_to_ascii(self.domain)

    @property
    def local_key(self) -> str:
        """The local part as looked up: NFC, lower case."""
        return unicodedata.normalize("NFC", self.local).lower()

    @property
    def key(self) -> str:
        """The form used for look-ups and comparisons: NFC lower-case local part, A-label domain."""
        return f"{self.local_key}@{self.ascii_domain}"

    @property
    def is_ascii(self) -> bool:
        """True if the address can travel without SMTPUTF8 (its domain turned to A-labels)."""
        return self.local.isascii()

    def __str__(self) -> str:
        if not self.domain:
            return self.local
        if _DOT_STRING.fullmatch(self.local):
            return f"{self.local}@{self.domain}"
        escaped = re.sub(r'(["\\])', r"\\\1", self.local)
        return f'"{escaped}"@{self.domain}'
