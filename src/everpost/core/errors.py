"""The four kinds of error; every room raises one of these or a subclass.

The text is safe to show to a peer. The cause stays on `__cause__` and reaches only the log.
Each door has one table from kind to its wire form.
"""


class EverpostError(Exception):
    """Base of all errors that carry a text for a peer."""

    default_status = "5.0.0"

    def __init__(self, text: str, *, status: str | None = None) -> None:
        """`text` is safe for a peer; `status` is an enhanced status code (RFC 3463)."""
        super().__init__(text)
        self.text = text
        self.status = status or self.default_status


class Refused(EverpostError):
    """Permanent: the same request will be refused again."""

    default_status = "5.0.0"


class TryLater(EverpostError):
    """Temporary: the same request may succeed later. When unsure, raise this."""

    default_status = "4.3.0"


class ProtocolError(EverpostError):
    """The peer broke the rules of its protocol."""

    default_status = "5.5.0"


class Broken(EverpostError):
    """Our own fault. A peer hears only that something went wrong here."""

    default_status = "4.3.0"
