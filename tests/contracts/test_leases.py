"""Leases on every engine."""

import asyncio

from everpost.store.leases import Leases
from everpost.store.ports import Database


class HandClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


async def test_one_holder_at_a_time(database: Database) -> None:
    clock = HandClock()
    owners = [Leases(database, clock, f"worker-{n}") for n in range(8)]
    taken = [lease for lease in await asyncio.gather(*(owner.acquire("x", 10) for owner in owners)) if lease]
    assert len(taken) == 1
    assert await owners[0].acquire("y", 10) is not None
    await taken[0].release()
    assert await owners[3].acquire("x", 10) is not None


async def test_a_lease_ends_by_itself_and_the_fence_grows(database: Database) -> None:
    clock = HandClock()
    one, two = Leases(database, clock, "one"), Leases(database, clock, "two")
    first = await one.acquire("x", 10)
    assert first is not None
    clock.time += 5
    assert await first.renew(10)
    clock.time += 9
    assert await two.acquire("x", 10) is None
    clock.time += 2
    second = await two.acquire("x", 10)
    assert second is not None and second.fence > first.fence
    assert not await first.renew(10), "the woken sleeper learns that it lost"
    await first.release()
    assert await one.acquire("x", 10) is None, "a late release does not free the successor's lease"
    await second.release()
    third = await one.acquire("x", 10)
    assert third is not None and third.fence > second.fence
