"""The whole queue over a fake transport: sent once, retried, warned, given up, taken over, stopped."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from everpost.delivery.queue.claim import LEASE_SECONDS, Claims
from everpost.delivery.queue.settle import Settler
from everpost.delivery.remote.outcome import Outcome, Result
from everpost.store.ports import StoreUnavailable
from everpost.store.sql.queue import QueueRow
from tests.delivery.conftest import House
from tests.delivery.post import RAW, Post

SENT = Outcome(Result.DELIVERED, "2.0.0", "250 ok", "mx.far.test [192.0.2.1]", from_peer=True)
LATER = Outcome(Result.LATER, "4.7.1", "450 4.7.1 greylisted", "mx.far.test [192.0.2.1]", from_peer=True)
FAILED = Outcome(Result.FAILED, "5.1.1", "550 5.1.1 nobody", "mx.far.test [192.0.2.1]", from_peer=True)
HOUR = 3600.0


@dataclass
class FakeTransport:
    """Answers by recipient from a list, the last answer again and again."""

    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    sent: list[tuple[str, ...]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    running: int = 0
    most: int = 0

    async def send(self, rows: Sequence[QueueRow], raw: bytes) -> Mapping[int, Outcome]:
        assert raw == RAW
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            self.sent.append(tuple(sorted(row.recipient for row in rows)))
            await asyncio.sleep(0)
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.running -= 1
        outcomes = {}
        for row in rows:
            answers = self.answers.get(row.recipient, [SENT])
            outcomes[row.queue_id] = answers.pop(0) if len(answers) > 1 else answers[0]
        return outcomes


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
async def post(house: House, transport: FakeTransport) -> Post:
    await house.account("anna@here.test")
    return Post(house, transport)


async def test_recipients_of_a_destination_travel_together_and_the_content_goes_with_the_last(
    post: Post, transport: FakeTransport
) -> None:
    async with post.running(post.worker()):
        await post.put("a@far.test", "b@far.test", "c@near.test")
        await post.until_empty()
    assert sorted(transport.sent) == [("a@far.test", "b@far.test"), ("c@near.test",)]
    assert await post.value("SELECT COUNT(*) FROM content") == 0
    assert await post.house.mails("anna@here.test") == []


async def test_many_workers_send_each_entry_once(post: Post, transport: FakeTransport) -> None:
    for number in range(40):
        await post.put(f"user{number}@far{number % 5}.test", number=number)
    async with post.running(*(post.worker(f"worker {number}", batch=3) for number in range(4))):
        await post.until_empty()
    assert sorted(transport.sent) == sorted((f"user{n}@far{n % 5}.test",) for n in range(40))


async def test_a_temporary_refusal_is_tried_again_when_due(post: Post, transport: FakeTransport) -> None:
    transport.answers["a@far.test"] = [LATER, SENT]
    async with post.running(post.worker()):
        await post.put("a@far.test")
        await post.until_value("SELECT attempts FROM queue_entry", 1)
        assert await post.value("SELECT last_reply FROM queue_entry") == "450 4.7.1 greylisted"
        await asyncio.sleep(0.1)
        assert len(transport.sent) == 1
        post.house.clock.advance(70)
        await post.until_empty()
    assert len(transport.sent) == 2
    assert await post.house.mails("anna@here.test") == []


async def test_a_refusal_for_good_is_told_once_for_all_it_concerns(post: Post, transport: FakeTransport) -> None:
    transport.answers = {"a@far.test": [FAILED], "b@far.test": [FAILED]}
    async with post.running(post.worker()):
        await post.put("a@far.test", "b@far.test", "c@far.test")
        await post.until_empty()
    (notice,) = await post.house.mails("anna@here.test")
    assert notice.count(b"Action: failed") == 2
    assert b"Diagnostic-Code: smtp; 550 5.1.1 nobody" in notice
    assert b"Remote-MTA: dns; mx.far.test\r\n" in notice
    assert b"c@far.test" not in notice
    assert b"Return-Path: <anna" not in notice


async def test_late_mail_is_warned_of_once_then_given_up(post: Post, transport: FakeTransport) -> None:
    transport.answers["a@far.test"] = [LATER]
    async with post.running(post.worker()):
        await post.put("a@far.test")
        for step in range(1, 100):
            await post.until(lambda: transport.running == 0)
            post.house.clock.advance(HOUR if step < 6 else 4.5 * HOUR)
            await asyncio.sleep(0.03)
            if step == 3:
                assert await post.house.mails("anna@here.test") == []
            if await post.value("SELECT COUNT(*) FROM queue_entry") == 0:
                break
    delay, failure = await post.house.mails("anna@here.test")
    assert b"Action: delayed" in delay
    assert b"Will-Retry-Until: " in delay
    assert b"Action: failed" in failure
    assert b"Status: 4.4.7" in failure
    assert 20 < len(transport.sent) < 60
    assert await post.value("SELECT COUNT(*) FROM content") == 2


async def test_nobody_is_told_of_a_failed_notice_or_against_their_wish(post: Post, transport: FakeTransport) -> None:
    transport.answers["a@far.test"] = [FAILED]
    async with post.running(post.worker()):
        await post.put("a@far.test", sender="", number=1)
        await post.put("a@far.test", notify="NEVER", number=2)
        await post.put("a@far.test", notify="SUCCESS", number=3)
        await post.until_empty()
    assert await post.house.mails("anna@here.test") == []


async def test_success_is_told_where_the_next_host_will_not(post: Post, transport: FakeTransport) -> None:
    relayed = Outcome(Result.DELIVERED, "2.0.0", "250 ok", "mx [1]", from_peer=True, relayed=True)
    transport.answers = {"a@far.test": [relayed], "b@near.test": [SENT]}
    async with post.running(post.worker()):
        await post.put("a@far.test", "b@near.test", notify="SUCCESS")
        await post.until_empty()
    (notice,) = await post.house.mails("anna@here.test")
    assert b"Action: relayed" in notice


async def test_sessions_are_bounded_per_destination_and_in_all(post: Post, transport: FakeTransport) -> None:
    transport.hold = asyncio.Event()
    for number in range(30):
        await post.put(f"user{number}@far{number % 3}.test", number=number)
    async with post.running(post.worker(sessions=5, sessions_per_destination=2)):
        await post.until(lambda: transport.running == 5)
        await asyncio.sleep(0.1)
        assert transport.running == 5
        transport.hold.set()
        await post.until_empty()
    assert transport.most == 5
    assert len(transport.sent) == 30


async def test_a_slow_destination_does_not_fill_the_worker(post: Post, transport: FakeTransport) -> None:
    transport.hold = asyncio.Event()
    for number in range(30):
        await post.put(f"user{number}@slow.test", number=number)
    await post.put("quick@far.test", number=100)
    async with post.running(post.worker(sessions_per_destination=1, batch=5)):
        await post.until(lambda: ("quick@far.test",) in transport.sent)
        transport.hold.set()
        await post.until_empty()


async def test_a_dead_workers_entry_is_taken_over_after_its_lease(post: Post, transport: FakeTransport) -> None:
    await post.put("a@far.test")
    dead = Claims(post.house.database, post.house.clock, "dead")
    assert len(await dead.take(10)) == 1
    async with post.running(post.worker()):
        await asyncio.sleep(0.1)
        assert transport.sent == []
        post.house.clock.advance(LEASE_SECONDS + 1)
        await post.until_empty()
    assert len(transport.sent) == 1


async def test_a_long_attempt_keeps_its_lease(post: Post, transport: FakeTransport) -> None:
    transport.hold = asyncio.Event()
    await post.put("a@far.test")
    async with post.running(post.worker("one"), post.worker("two")):
        await post.until(lambda: transport.running == 1)
        for _ in range(6):
            post.house.clock.advance(LEASE_SECONDS / 3)
            await asyncio.sleep(0.12)
        transport.hold.set()
        await post.until_empty()
    assert len(transport.sent) == 1


async def test_at_a_stop_what_is_not_sent_is_given_back_at_once(post: Post, transport: FakeTransport) -> None:
    transport.hold = asyncio.Event()
    await post.put("a@far.test")
    async with post.running(post.worker("one")):
        await post.until(lambda: transport.running == 1)
    rows = await post.house.database.query("SELECT lease_owner, lease_until, attempts FROM queue_entry")
    assert [tuple(row) for row in rows] == [("", 0, 0)]


async def test_at_a_stop_what_waits_for_its_turn_is_given_back_too(post: Post, transport: FakeTransport) -> None:
    transport.hold = asyncio.Event()
    for number in range(4):
        await post.put(f"user{number}@far.test", number=number)
    async with post.running(post.worker("one", sessions_per_destination=1, batch=10)):
        await post.until(lambda: transport.running == 1)
    rows = await post.house.database.query("SELECT lease_owner, lease_until, attempts FROM queue_entry")
    assert {tuple(row) for row in rows} == {("", 0, 0)}


async def test_an_outcome_outlives_an_absent_store(
    post: Post, transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everpost.delivery.queue.runner.AWAY_SECONDS", 0.01)
    await post.put("a@far.test")
    worker = post.worker()
    original = Settler.settle
    calls = 0

    async def away(self: Settler, *args: object) -> None:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise StoreUnavailable("away")
        await original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Settler, "settle", away)
    async with post.running(worker):
        await post.until_empty()
    assert len(transport.sent) == 1


async def test_a_fault_of_ours_postpones(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: FakeTransport, rows: Sequence[QueueRow], raw: bytes) -> Mapping[int, Outcome]:
        raise ZeroDivisionError

    monkeypatch.setattr(FakeTransport, "send", broken)
    await post.put("a@far.test")
    async with post.running(post.worker()):
        await post.until_value("SELECT attempts FROM queue_entry", 1)
    assert await post.value("SELECT last_reply FROM queue_entry") == "something went wrong here"


async def test_an_outcome_of_a_lost_claim_changes_nothing(post: Post) -> None:
    await post.put("a@far.test")
    claims = Claims(post.house.database, post.house.clock, "one")
    rows = await claims.take(10)
    post.house.clock.advance(LEASE_SECONDS + 1)
    (newer,) = await Claims(post.house.database, post.house.clock, "two").take(10)
    settler = post.worker().settler
    await settler.settle(rows, {newer.queue_id: FAILED}, RAW)
    assert await post.house.mails("anna@here.test") == []
    await settler.settle([newer], {newer.queue_id: FAILED}, RAW)
    await settler.settle([newer], {newer.queue_id: FAILED}, RAW)
    assert len(await post.house.mails("anna@here.test")) == 1
    await post.until_empty()
