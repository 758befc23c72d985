import asyncio

from everpost.core.ids import ContentId
from everpost.delivery.queue.claim import LEASE_SECONDS, Claims
from everpost.store.ports import Database, Transaction
from everpost.store.sql import queue
from everpost.store.sql.queue import HELD, WAITING, NewEntry, QueueRow
from tests.delivery.fakes import FakeClock


def entry(clock: FakeClock, number: int, destination: str = "far.test", due_in: float = 0.0) -> NewEntry:
    now = int(clock.now() * 1000)
    recipient = f"user{number}@{destination}"
    due_at = now + int(due_in * 1000)
    return NewEntry(1, None, destination, "a@here.test", recipient, "", "", "", "", "", 0, now, due_at, now + 10**9)


async def fill(database: Database, entries: list[NewEntry]) -> None:
    async def work(tx: Transaction) -> None:
        await queue.insert(tx, ContentId(1), entries)

    await database.write(work)


async def rows(database: Database) -> list[QueueRow]:
    async def work(tx: Transaction) -> list[QueueRow]:
        return await queue.page(tx, after=0, limit=1000, destination=None, state=None, tenant=None)

    return await database.read(work)


async def test_an_entry_is_claimed_by_one_worker_at_a_time(database: Database) -> None:
    clock = FakeClock()
    await fill(database, [entry(clock, number) for number in range(60)])
    workers = [Claims(database, clock, f"worker {number}") for number in range(4)]
    taken: list[int] = []
    for _ in range(10):
        for claimed in await asyncio.gather(*(worker.take(7) for worker in workers)):
            assert len(claimed) <= 7
            taken += [row.queue_id for row in claimed]
    assert sorted(taken) == [row.queue_id for row in await rows(database)]
    assert len(taken) == 60


async def test_only_what_is_due_waiting_and_not_for_a_busy_destination(database: Database) -> None:
    clock = FakeClock()
    await fill(
        database,
        [entry(clock, 1), entry(clock, 2, due_in=60), entry(clock, 3, "slow.test"), entry(clock, 4), entry(clock, 5)],
    )
    ids = [row.queue_id for row in await rows(database)]

    async def hold(tx: Transaction) -> list[int]:
        return await queue.set_state(tx, [ids[4]], HELD)

    await database.write(hold)
    claims = Claims(database, clock, "worker")
    assert sorted(row.queue_id for row in await claims.take(10, ["slow.test"])) == [ids[0], ids[3]]
    assert [row.queue_id for row in await claims.take(10)] == [ids[2]]
    clock.advance(61)

    async def next_due(tx: Transaction) -> int | None:
        return await queue.next_due(tx, int(clock.now() * 1000))

    assert await database.read(next_due) is not None


async def test_a_dead_workers_entries_are_free_after_the_lease_and_its_fence_is_stale(database: Database) -> None:
    clock = FakeClock()
    await fill(database, [entry(clock, 1)])
    (first,) = await Claims(database, clock, "dead").take(10)
    other = Claims(database, clock, "alive")
    clock.advance(LEASE_SECONDS - 1)
    assert await other.take(10) == []
    clock.advance(1)
    (second,) = await other.take(10)
    assert second.fence == first.fence + 1

    async def stale(tx: Transaction) -> tuple[bool, bool]:
        postponed = await queue.postpone(tx, first.queue_id, first.fence, at=1, due_at=2, reply="late", warned_at=None)
        return postponed, await queue.finish(tx, first.queue_id, first.fence)

    assert await database.write(stale) == (False, False)
    assert (await rows(database))[0].last_reply == ""


async def test_renewing_keeps_others_away_and_notices_what_was_lost(database: Database) -> None:
    clock = FakeClock()
    await fill(database, [entry(clock, 1)])
    mine, other = Claims(database, clock, "mine"), Claims(database, clock, "other")
    started = clock.monotonic()
    claim = mine.hold(await mine.take(10), started)
    clock.advance(LEASE_SECONDS - 10)
    await mine.renew()
    assert mine.seconds_left(claim) > LEASE_SECONDS - 10
    clock.advance(20)
    assert await other.take(10) == []
    clock.advance(LEASE_SECONDS)
    assert len(await other.take(10)) == 1
    await mine.renew()
    assert mine.seconds_left(claim) <= 0


async def test_a_renewal_moves_the_end_of_the_work(database: Database) -> None:
    clock = FakeClock()
    await fill(database, [entry(clock, 1)])
    claims = Claims(database, clock, "worker", lease_seconds=5.2)
    claim = claims.hold(await claims.take(10), clock.monotonic())
    async with asyncio.timeout(claims.seconds_left(claim)) as claim.timeout:
        claims.lease_seconds = 60.0
        await claims.renew()
        await asyncio.sleep(0.4)
    assert claims.seconds_left(claim) > 50


async def test_what_is_given_back_is_free_at_once(database: Database) -> None:
    clock = FakeClock()
    await fill(database, [entry(clock, 1), entry(clock, 2)])
    mine, other = Claims(database, clock, "mine"), Claims(database, clock, "other")
    mine.hold(await mine.take(1), clock.monotonic())
    mine.hold(await mine.take(1), clock.monotonic())
    assert mine.entries == 2
    await mine.give_back_all()
    assert mine.entries == 0
    assert len(await other.take(10)) == 2
    assert all(row.state == WAITING for row in await rows(database))


async def test_what_arrives_late_does_no_harm_to_a_newer_claim_of_the_same_worker(database: Database) -> None:
    clock = FakeClock()
    await fill(database, [entry(clock, 1)])
    claims = Claims(database, clock, "worker")
    old = claims.hold(await claims.take(10), clock.monotonic())
    late = int((clock.now() + LEASE_SECONDS) * 1000)
    clock.advance(LEASE_SECONDS + 10)
    (newer,) = await claims.take(10)

    async def renew(tx: Transaction) -> dict[int, int]:
        return await queue.renew(tx, "worker", [newer.queue_id], late)

    assert await database.write(renew) == {newer.queue_id: newer.fence}
    await claims.give_back([old])
    (row,) = await rows(database)
    assert (row.lease_owner, row.lease_until, row.fence) == ("worker", newer.lease_until, newer.fence)
