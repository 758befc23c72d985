"""The task that works through the queue: claim what is due, send, write down what came of it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from everpost.core.clock import Clock
from everpost.core.errors import Broken, EverpostError
from everpost.core.ids import ContentId
from everpost.core.log import logger
from everpost.core.metrics import gauge
from everpost.delivery.parcel import QUEUE_TOPIC
from everpost.delivery.queue.claim import RENEW_SECONDS, Claim, Claims
from everpost.delivery.queue.entry import Group, groups
from everpost.delivery.queue.settle import Settler
from everpost.delivery.remote.outcome import Outcome, later
from everpost.mailbox.content import Contents
from everpost.store.feed import Feed
from everpost.store.ports import Database, StoreUnavailable, Transaction
from everpost.store.sql import contents, queue
from everpost.store.sql.queue import QueueRow

log = logger("delivery")

HELD = gauge("delivery", "queue_claimed_entries", "Queue entries this worker holds")

# How often to look without being woken (seconds): a lost wake-up costs no more than this.
POLL_SECONDS = 10.0
# After the store was away (seconds).
AWAY_SECONDS = 1.0
# An outcome is offered to the store for this long (seconds) before another worker is left to repeat the attempt.
SETTLE_SECONDS = 600.0
STOP_SECONDS = 10.0


class Transport(Protocol):
    """What sends: `remote.send.Sender`, or a fake."""

    async def send(self, rows: Sequence[QueueRow], raw: bytes) -> Mapping[int, Outcome]:
        """One attempt for entries that can travel together; an outcome for each queue id. Bounded in time."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one worker sends at a time. Shaping per destination comes in the issue about outgoing mail."""

    entries: int = 500
    """Entries held at a time, waiting and being sent."""
    batch: int = 100
    """Entries claimed at a time."""
    sessions: int = 50
    """Attempts running at a time."""
    sessions_per_destination: int = 5


@dataclass(slots=True)
class Runner:
    """One worker's outgoing work: `run` until `stop`."""

    database: Database
    contents: Contents
    feed: Feed
    clock: Clock
    claims: Claims
    transport: Transport
    settler: Settler
    limits: Limits = Limits()
    poll_seconds: float = POLL_SECONDS
    renew_seconds: float = RENEW_SECONDS
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False
    _busy: Counter[str] = field(default_factory=Counter)
    """Groups held per destination."""
    _slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _sessions: asyncio.Semaphore = field(init=False)
    _jobs: set[asyncio.Task[None]] = field(default_factory=set)
    _settling: set[asyncio.Task[None] | None] = field(default_factory=set)
    """Jobs whose message is sent: these are never cut."""
    _short: bool = False
    """Due entries were left because too much is held already: the end of a job must wake."""

    def __post_init__(self) -> None:
        self._sessions = asyncio.Semaphore(self.limits.sessions)

    async def run(self) -> None:
        """Work until `stop`; then return once the running attempts ended and all leases are given back."""
        subscription = self.feed.subscribe(QUEUE_TOPIC, lambda _: self._wake.set())
        try:
            async with asyncio.TaskGroup() as tasks:
                renewing = tasks.create_task(self._renew())
                while not self._stopping:
                    self._wake.clear()
                    pause = await self._round(tasks.create_task)
                    if not self._stopping:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(pause):
                                await self._wake.wait()
                if self._jobs:
                    await asyncio.wait(self._jobs)
                renewing.cancel()
        finally:
            subscription.close()
            await self.claims.give_back_all()

    async def stop(self, grace: float) -> None:
        """Take nothing new, let running attempts end for `grace` seconds, then cut them. `run` then returns."""
        self._stopping = True
        self._wake.set()
        if self._jobs:
            _, late = await asyncio.wait(set(self._jobs), timeout=grace)
            for job in late - self._settling:
                job.cancel()

    async def _round(self, start: Callable[..., asyncio.Task[None]]) -> float:
        """Claim and start what is due; return for how many seconds there is nothing to do."""
        room = min(self.limits.batch, self.limits.entries - self.claims.entries)
        busy = [name for name, held in self._busy.items() if held >= 2 * self.limits.sessions_per_destination]
        self._short = room <= 0 or bool(busy)
        if room <= 0:
            return self.poll_seconds
        try:
            due = await self._next_due(busy)
            wait = self.poll_seconds if due is None else due / 1000 - self.clock.now()
            if wait > 0:
                return min(max(wait, 0.05), self.poll_seconds)
            taken_at = self.clock.monotonic()
            rows = await self.claims.take(room, busy)
        except EverpostError as error:
            log.warning("queue.unavailable", reason=error.text, cause=repr(error.__cause__))
            return AWAY_SECONDS
        for group in groups(rows):
            claim = self.claims.hold(group.rows, taken_at)
            self._busy[group.first.destination] += 1
            job = start(self._work(group, claim))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)
        HELD.set(self.claims.entries)
        # Nothing claimed though something is due: another worker was quicker.
        return 0.0 if rows else 0.05

    async def _next_due(self, busy: list[str]) -> int | None:
        now = int(self.clock.now() * 1000)

        async def work(tx: Transaction) -> int | None:
            return await queue.next_due(tx, now, busy)

        return await self.database.read(work)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.renew_seconds)
            try:
                await self.claims.renew()
            except EverpostError as error:
                log.warning("leases.unrenewed", reason=error.text, cause=repr(error.__cause__))

    async def _work(self, group: Group, claim: Claim) -> None:
        """Everything for one group; never raises but for cancellation."""
        destination = group.first.destination
        slots = self._slots.setdefault(destination, asyncio.Semaphore(self.limits.sessions_per_destination))
        try:
            # The destination first: whoever waits for a slow host takes nobody else's session.
            async with slots, self._sessions:
                await self._attempt(group, claim)
        except asyncio.CancelledError:
            # At a stop: nobody is left to say what came of it.
            await self.claims.give_back([claim])
            raise
        except Exception:
            log.exception("job.broken", queue_ids=claim.ids)
        finally:
            self.claims.drop(claim)
            self._busy[destination] -= 1
            if not self._busy[destination]:
                del self._busy[destination]
                del self._slots[destination]
            HELD.set(self.claims.entries)
            if self._short:
                self._wake.set()

    async def _attempt(self, group: Group, claim: Claim) -> None:
        if self._stopping or self.claims.seconds_left(claim) <= 0:
            await self.claims.give_back([claim])
            return
        try:
            async with asyncio.timeout(self.claims.seconds_left(claim)) as claim.timeout:
                raw, outcomes = await self._send(group)
        except TimeoutError:
            log.warning("lease.ended", queue_ids=claim.ids)
            return
        finally:
            claim.timeout = None
        job = asyncio.current_task()
        self._settling.add(job)
        try:
            await self._settle(group, outcomes, raw)
        finally:
            self._settling.discard(job)

    async def _read(self, content_id: int) -> bytes:
        """The message. Raises StoreUnavailable, BlobMissing, Broken."""

        async def work(tx: Transaction) -> tuple[int, int, str | None, bytes, bytes | None] | None:
            return await contents.whole(tx, ContentId(content_id))

        row = await self.database.read(work)
        if row is None:
            raise Broken("the message is missing")
        return await self.contents.unpack(*row)

    async def _send(self, group: Group) -> tuple[bytes, Mapping[int, Outcome]]:
        """The message and the outcomes; a fault of ours postpones, so that nothing is lost and nothing spins."""
        ids = [row.queue_id for row in group.rows]
        raw = b""
        try:
            raw = await self._read(group.first.content_id)
            return raw, await self.transport.send(group.rows, raw)
        except EverpostError as error:
            log.warning("send.failed", queue_ids=ids, reason=error.text)
            return raw, dict.fromkeys(ids, later(error.text, "4.3.0"))
        except Exception:
            log.exception("send.broken", queue_ids=ids)
            return raw, dict.fromkeys(ids, later("something went wrong here", "4.3.0"))

    async def _settle(self, group: Group, outcomes: Mapping[int, Outcome], raw: bytes) -> None:
        """Write the outcomes down, again and again while the store is away."""
        started = self.clock.monotonic()
        while True:
            try:
                await self.settler.settle(group.rows, outcomes, raw)
            except StoreUnavailable as error:
                limit = STOP_SECONDS if self._stopping else SETTLE_SECONDS
                if self.clock.monotonic() - started > limit:
                    log.error("outcome.lost", queue_ids=[row.queue_id for row in group.rows], reason=error.text)
                    return
                await asyncio.sleep(AWAY_SECONDS)
            except Exception:
                log.exception("settle.broken", queue_ids=[row.queue_id for row in group.rows])
                return
            else:
                return
