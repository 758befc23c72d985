"""For how long sending is tried: what those who make entries need of `queue.retry.Schedule`."""

from dataclasses import dataclass

RFCS = (5321,)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """RFC 5321 section 4.5.4.1: 4 to 5 days."""

    lifetime: float = 5 * 86400.0
    """Seconds."""


FIVE_DAYS = Lifetime()
