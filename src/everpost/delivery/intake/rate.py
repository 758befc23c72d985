"""How much one account may submit in a time."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from everpost.core.clock import Clock
from everpost.core.ids import AccountId

MAX_ACCOUNTS = 50_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """A token bucket: `burst` at once, refilled by `per_hour`."""

    burst: float
    per_hour: float


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What an account may submit: generous for a person with a newsletter, tight for a stolen password."""

    messages: Allowance = Allowance(burst=200, per_hour=500)
    recipients: Allowance = Allowance(burst=1000, per_hour=2000)


class Limiter(Protocol):
    """Counts what accounts submit. A limiter shared by all nodes implements the same."""

    async def take(self, account: AccountId, messages: int, recipients: int) -> float:
        """Count so many; return 0 if that is allowed, else the seconds after which it would be, counting nothing."""
        ...


@dataclass(slots=True)
class _Bucket:
    messages: float
    recipients: float
    at: float


@dataclass(slots=True)
class MemoryLimiter:
    """Counts in this worker's memory: with several workers an account may get the allowance from each."""

    limits: RateLimits
    clock: Clock
    _buckets: OrderedDict[AccountId, _Bucket] = field(default_factory=OrderedDict)

    async def take(self, account: AccountId, messages: int, recipients: int) -> float:
        bucket = self._refilled(account)
        wait = max(
            _seconds_until(bucket.messages, messages, self.limits.messages),
            _seconds_until(bucket.recipients, recipients, self.limits.recipients),
        )
        if wait <= 0:
            bucket.messages -= messages
            bucket.recipients -= recipients
        return max(wait, 0.0)

    def _refilled(self, account: AccountId) -> _Bucket:
        now = self.clock.monotonic()
        bucket = self._buckets.get(account)
        if bucket is None:
            if len(self._buckets) >= MAX_ACCOUNTS:
                # The one that submitted longest ago: its bucket is the fullest.
                self._buckets.popitem(last=False)
            bucket = self._buckets[account] = _Bucket(self.limits.messages.burst, self.limits.recipients.burst, now)
            return bucket
        self._buckets.move_to_end(account)
        hours = (now - bucket.at) / 3600
        bucket.messages = min(self.limits.messages.burst, bucket.messages + hours * self.limits.messages.per_hour)
        bucket.recipients = min(
            self.limits.recipients.burst, bucket.recipients + hours * self.limits.recipients.per_hour
        )
        bucket.at = now
        return bucket


def _seconds_until(level: float, wanted: int, allowance: Allowance) -> float:
    """Seconds until `wanted` tokens are there. More than a whole bucket is allowed from a full one."""
    missing = min(wanted, allowance.burst) - level
    return missing * 3600 / allowance.per_hour
