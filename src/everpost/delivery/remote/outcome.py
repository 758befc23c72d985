"""What came of an attempt to send, per recipient."""

from dataclasses import dataclass
from enum import Enum

RFCS = (3463, 5321)


class Result(Enum):
    """How an attempt ended for one recipient."""

    DELIVERED = "delivered"
    LATER = "later"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt for one recipient."""

    result: Result
    status: str
    """Enhanced status code (RFC 3463)."""
    reply: str
    """The remote host's words with its reply code, or our own when no host spoke; one line."""
    host: str = ""
    """The host that spoke, `name [address]`; empty if none did."""
    from_peer: bool = False
    """True if `reply` is the peer's, and so may stand in Diagnostic-Code (RFC 3464 section 2.3.6)."""
    tls: str = ""
    """TLS version and cipher of the session; empty for plain text."""
    relayed: bool = False
    """Delivered to a host that takes no DSN requests: a requested success notice is due from here."""


# RFC 5321 section 4.5.3.1.10: a refusal for "too many recipients" is temporary for the ones left over.
_TOO_MANY = ("5.5.3", "4.5.3")


def classify(code: int, status: str) -> Result:
    """What a reply code (RFC 5321 section 4.2.1) with its enhanced status, if any, means for the recipient."""
    if 200 <= code < 300:
        return Result.DELIVERED
    if 500 <= code < 600:
        # RFC 5321 section 4.5.3.1.10: clients treat 552 in answer to RCPT for this reason as 452.
        return Result.LATER if status in _TOO_MANY else Result.FAILED
    return Result.LATER


def status_for(code: int, status: str | None) -> str:
    """The enhanced status of a reply, made up from the code where the host gave none or one of another class."""
    digit = {2: "2", 5: "5"}.get(code // 100, "4")
    if status and status[0] == digit:
        return status
    # RFC 3463 section 3: X.0.0 says that the class is all that is known.
    return f"{digit}.0.0"


def later(text: str, status: str = "4.4.1", host: str = "") -> Outcome:
    """Our own finding: nothing was delivered, a later attempt may succeed."""
    return Outcome(Result.LATER, status, text, host)


def failed(text: str, status: str, host: str = "") -> Outcome:
    """Our own finding: this can never succeed."""
    return Outcome(Result.FAILED, status, text, host)
