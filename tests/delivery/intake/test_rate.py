from everpost.core.ids import AccountId
from everpost.delivery.intake import rate
from everpost.delivery.intake.rate import Allowance, MemoryLimiter, RateLimits
from tests.delivery.fakes import FakeClock

ONE, TWO = AccountId(1), AccountId(2)
LIMITS = RateLimits(messages=Allowance(3, 60), recipients=Allowance(10, 600))


async def test_a_burst_then_the_rate() -> None:
    clock = FakeClock()
    limiter = MemoryLimiter(LIMITS, clock)
    assert [await limiter.take(ONE, 1, 1) for _ in range(3)] == [0, 0, 0]
    assert round(await limiter.take(ONE, 1, 1)) == 60
    assert await limiter.take(TWO, 1, 1) == 0
    clock.advance(61)
    assert await limiter.take(ONE, 1, 1) == 0
    assert await limiter.take(ONE, 1, 1) > 0


async def test_recipients_count_too_and_a_refusal_counts_nothing() -> None:
    limiter = MemoryLimiter(LIMITS, FakeClock())
    assert await limiter.take(ONE, 1, 8) == 0
    assert round(await limiter.take(ONE, 1, 8)) == 36
    assert await limiter.take(ONE, 1, 2) == 0


async def test_more_than_a_bucket_is_allowed_from_a_full_one_and_paid_later() -> None:
    clock = FakeClock()
    limiter = MemoryLimiter(LIMITS, clock)
    assert await limiter.take(ONE, 1, 50) == 0
    clock.advance(60)
    assert await limiter.take(ONE, 1, 1) > 0
    clock.advance(600)
    assert await limiter.take(ONE, 1, 1) == 0


async def test_memory_is_bounded(monkeypatch: object) -> None:
    limiter = MemoryLimiter(LIMITS, FakeClock())
    for number in range(rate.MAX_ACCOUNTS + 10):
        await limiter.take(AccountId(number), 1, 1)
    assert len(limiter._buckets) == rate.MAX_ACCOUNTS
