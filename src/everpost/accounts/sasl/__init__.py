"""SASL as a server: mechanisms as pure machines (RFC 4422). `start` gives one, `step` moves it."""

from collections.abc import Callable

from everpost.accounts.sasl.exchange import (
    Challenge,
    Context,
    Done,
    Failed,
    Mechanism,
    NeedKeys,
    Reason,
    Step,
    Verify,
)
from everpost.accounts.sasl.plain import Login, Plain
from everpost.accounts.sasl.scram import Scram, ScramPlus

__all__ = [
    "Challenge",
    "Context",
    "Done",
    "Failed",
    "MECHANISMS",
    "Mechanism",
    "NeedKeys",
    "Reason",
    "Step",
    "Verify",
    "start",
]

RFCS = (4422,)

MECHANISMS: dict[str, Callable[[Context], Mechanism]] = {
    "SCRAM-SHA-256-PLUS": ScramPlus,
    "SCRAM-SHA-256": Scram,
    "PLAIN": Plain,
    "LOGIN": Login,
}
"""By name, the strongest first."""


def start(name: str, context: Context) -> Mechanism:
    """A new exchange. Raises KeyError for a mechanism that is not in MECHANISMS."""
    return MECHANISMS[name](context)
