import pytest

from everpost.delivery.accept import Acceptor
from everpost.delivery.bounces import Bounces
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.queue.claim import Claims
from everpost.delivery.service import BeingSent, NoEntry, QueueService
from tests.delivery.conftest import House, address

RAW = b"From: anna@here.test\r\nSubject: hi\r\n\r\nbody\r\n"


@pytest.fixture
async def service(house: House) -> QueueService:
    await house.account("anna@here.test")
    bounces = Bounces(house.router, house.contents, house.clock, house.chance, "mx.here.test")
    acceptor = Acceptor(house.database, house.contents, house.deliverer, bounces, house.feed, house.clock, house.chance)
    texts = ("a@far.test", "b@far.test", "c@near.test")
    recipients = [Recipient(address(text), await house.router.route(address(text))) for text in texts]
    await acceptor.accept(Sender(address("anna@here.test")), recipients, RAW, "T1")
    return QueueService(house.database, house.contents, house.deliverer, bounces, house.feed, house.clock)


async def test_what_waits_is_shown(service: QueueService) -> None:
    assert [(line.destination, line.entries) for line in await service.summary()] == [("far.test", 2), ("near.test", 1)]
    entries = await service.entries()
    assert [entry.recipient for entry in entries] == ["a@far.test", "b@far.test", "c@near.test"]
    assert [entry.recipient for entry in await service.entries(after=entries[0].queue_id, limit=1)] == ["b@far.test"]
    assert [entry.recipient for entry in await service.entries(destination="near.test")] == ["c@near.test"]
    assert await service.entries(state="held") == []
    assert await service.message(entries[0].queue_id) == RAW
    with pytest.raises(NoEntry):
        await service.entry(10**6)


async def test_held_entries_wait_until_they_are_released(service: QueueService, house: House) -> None:
    first, *_ = await service.entries()
    assert await service.hold([first.queue_id, 10**6]) == [first.queue_id]
    assert [entry.recipient for entry in await service.entries(state="held")] == ["a@far.test"]
    claims = Claims(house.database, house.clock, "worker")
    assert {row.recipient for row in await claims.take(10)} == {"b@far.test", "c@near.test"}
    await service.release([first.queue_id])
    assert {row.recipient for row in await claims.take(10)} == {"a@far.test"}


async def test_retry_makes_an_entry_due_and_wakes_the_workers(service: QueueService, house: House) -> None:
    woken: list[int] = []
    house.feed.subscribe("queue", woken.append)
    first, *_ = await service.entries()
    await house.database.statement("UPDATE queue_entry SET due_at = due_at + 1000000")
    house.clock.advance(6 * 86400)
    assert await service.retry([first.queue_id]) == [first.queue_id]
    entry = await service.entry(first.queue_id)
    assert entry.due_at == entry.expires_at == int(house.clock.now() * 1000)
    assert woken


async def test_a_dropped_entry_is_told_to_its_sender(service: QueueService, house: House) -> None:
    first, second, third = await service.entries()
    await service.drop(first.queue_id)
    (notice,) = await house.mails("anna@here.test")
    assert b"a@far.test" in notice
    assert b"Status: 5.7.1" in notice
    await service.drop(second.queue_id, notify=False)
    assert len(await house.mails("anna@here.test")) == 1
    claims = Claims(house.database, house.clock, "worker")
    await claims.take(10)
    with pytest.raises(BeingSent):
        await service.drop(third.queue_id)
    with pytest.raises(NoEntry):
        await service.drop(first.queue_id)
    rows = await house.database.query("SELECT refs FROM content ORDER BY content_id")
    assert [row[0] for row in rows] == [1, 1]
