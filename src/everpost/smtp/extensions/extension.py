"""What an SMTP extension is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from everpost.core.errors import ProtocolError


class BadParameter(ProtocolError):
    """A parameter of MAIL or RCPT is malformed."""

    default_status = "5.5.4"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the announcement may depend on."""

    max_size: int
    max_recipients: int
    max_messages: int
    tls_offered: bool
    """TLS can be started now."""
    mechanisms: tuple[str, ...]
    """SASL mechanisms that can be used now."""


Parameter = Callable[[str | None], Any]
"""From the parameter's text (None if there was no `=`) to its value. Raises BadParameter."""


@dataclass(frozen=True, slots=True)
class Extension:
    """`announce` gives the EHLO line or None; parameters give the field of the event and its reader."""

    announce: Callable[[Facts], str | None]
    mail: Mapping[str, tuple[str, Parameter]] = field(default_factory=dict)
    rcpt: Mapping[str, tuple[str, Parameter]] = field(default_factory=dict)
