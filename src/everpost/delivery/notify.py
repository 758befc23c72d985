"""Which notices a sender wants about a recipient (RFC 3461)."""

from everpost.message.dsn import Action

RFCS = (3461,)

_WORD = {
    Action.FAILED: "FAILURE",
    Action.DELAYED: "DELAY",
    Action.DELIVERED: "SUCCESS",
    Action.RELAYED: "SUCCESS",
    Action.EXPANDED: "SUCCESS",
}


def wanted(notify: str, action: Action) -> bool:
    """True if the sender wants to hear this. `notify` is the NOTIFY parameter, empty if none was given.

    RFC 3461 section 4.1: without the parameter failures are told, and delays may be.
    """
    if not notify:
        return action in {Action.FAILED, Action.DELAYED}
    return _WORD[action] in notify.split(",")


def joined(words: frozenset[str]) -> str:
    """The parameter as stored: `NEVER`, or the others sorted; empty for none."""
    return ",".join(sorted(words))
