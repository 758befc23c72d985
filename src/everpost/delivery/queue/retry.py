"""When to try again, when to warn the sender, when to give up.

RFC 5321 section 4.5.4.1: at least 30 minutes between attempts after the first ones, and 4 to 5 days in all.
"""

import random
from dataclasses import dataclass

from everpost.delivery.lifetime import Lifetime

RFCS = (5321,)

_MINUTE = 60.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Schedule(Lifetime):
    """Times in seconds. The first interval is short: most refusals of that kind are greylisting or a restart."""

    intervals: tuple[float, ...] = (
        1 * _MINUTE,
        5 * _MINUTE,
        15 * _MINUTE,
        30 * _MINUTE,
        1 * _HOUR,
        2 * _HOUR,
        4 * _HOUR,
    )
    """Before the second attempt, the third, ...; the last one repeats."""
    warn_after: float = 4 * _HOUR
    jitter: float = 0.1
    """Each interval is varied by up to this part, so that what failed together is not tried together."""

    def next_attempt(self, now: float, attempts: int, expires_at: float, chance: random.Random) -> float:
        """When to try again after `attempts` attempts; the last attempt is made when the entry expires.

        Times are unix seconds; `expires_at` must be later than `now`.
        """
        interval = self.intervals[min(attempts, len(self.intervals)) - 1]
        varied = interval * (1 + self.jitter * (2 * chance.random() - 1))
        return min(now + varied, expires_at)

    def warning_due(self, now: float, created_at: float, warned: bool) -> bool:
        """True if the sender should hear now that the message is late (RFC 3461 section 5.2.6 "delayed")."""
        return not warned and now - created_at >= self.warn_after


DEFAULT_SCHEDULE = Schedule()
