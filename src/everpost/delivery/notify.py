"""Which notices a sender wants about a recipient (RFC 3461)."""

from enum import Enum

RFCS = (3461,)


class Notice(Enum):
    """What a notice says; the value is the `Action` of RFC 3464 section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"


_WORD = {Notice.FAILED: "FAILURE", Notice.DELAYED: "DELAY", Notice.DELIVERED: "SUCCESS", Notice.RELAYED: "SUCCESS"}


def wanted(notify: str, notice: Notice) -> bool:
    """True if the sender wants to hear this. `notify` is the NOTIFY parameter, empty if none was given.

    RFC 3461 section 4.1: without the parameter failures are told, and delays may be.
    """
    if not notify:
        return notice in {Notice.FAILED, Notice.DELAYED}
    return _WORD[notice] in notify.split(",")


def joined(words: frozenset[str]) -> str:
    """The parameter as stored: `NEVER`, or the others sorted; empty for none."""
    return ",".join(sorted(words))
