"""Claims on queue entries: a lease that is renewed while the work lasts, with a fencing token per entry."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from everpost.core.clock import Clock, milliseconds
from everpost.core.errors import EverpostError
from everpost.core.log import logger
from everpost.store.ports import Database, Transaction
from everpost.store.sql import queue
from everpost.store.sql.queue import QueueRow

log = logger("delivery")

# A dead worker's entries are free again after this (seconds); the design asks for less than a minute in all.
LEASE_SECONDS = 40.0
RENEW_SECONDS = 10.0
# Work stops this long before its lease ends: clocks of nodes differ a little.
MARGIN_SECONDS = 5.0


@dataclass(slots=True, eq=False)
class Claim:
    """Entries held for one piece of work. `until` guards the work: it is cut when the lease runs out."""

    rows: tuple[QueueRow, ...]
    ends_at: float
    """When the work must stop, by Clock.monotonic."""
    timeout: asyncio.Timeout | None = None
    """Set while the work runs; moved on by each renewal."""

    @property
    def ids(self) -> list[int]:
        return [row.queue_id for row in self.rows]


@dataclass(slots=True)
class Claims:
    """All that one worker holds."""

    database: Database
    clock: Clock
    owner: str
    """Unique for this run of this worker: a restarted worker must not take itself for its predecessor."""
    lease_seconds: float = LEASE_SECONDS
    _held: set[Claim] = field(default_factory=set)

    @property
    def entries(self) -> int:
        """How many entries are held."""
        return sum(len(claim.rows) for claim in self._held)

    async def take(self, limit: int, busy: Sequence[str] = ()) -> list[QueueRow]:
        """Claim up to `limit` due entries, none for destinations in `busy`. Raises StoreUnavailable."""
        until = milliseconds(self.clock.now() + self.lease_seconds)
        now = milliseconds(self.clock.now())

        async def work(tx: Transaction) -> list[QueueRow]:
            return await queue.claim(tx, self.owner, now, until, limit, busy)

        return await self.database.write(work)

    def hold(self, rows: Iterable[QueueRow], taken_at: float) -> Claim:
        """Keep the lease of rows taken at `taken_at` (Clock.monotonic, read before taking)."""
        claim = Claim(tuple(rows), taken_at + self.lease_seconds - MARGIN_SECONDS)
        self._held.add(claim)
        return claim

    def seconds_left(self, claim: Claim) -> float:
        """For how long the work may go on; 0 or less if the lease is over."""
        return claim.ends_at - self.clock.monotonic()

    def drop(self, claim: Claim) -> None:
        """The work is done and written down, or given up."""
        self._held.discard(claim)

    async def renew(self) -> None:
        """Move the end of every lease held. What was lost to another worker is cut. Raises StoreUnavailable."""
        claims = list(self._held)
        if not claims:
            return
        ids = [row.queue_id for claim in claims for row in claim.rows]
        started = self.clock.monotonic()
        until = milliseconds(self.clock.now() + self.lease_seconds)

        async def work(tx: Transaction) -> dict[int, int]:
            return await queue.renew(tx, self.owner, ids, until)

        fences = await self.database.write(work)
        for claim in claims:
            if claim not in self._held:
                continue  # Done in the meantime.
            lost = [row.queue_id for row in claim.rows if fences.get(row.queue_id) != row.fence]
            if lost and len(lost) == len(claim.rows):
                log.warning("lease.lost", queue_ids=lost)
                claim.ends_at = started
            else:
                claim.ends_at = started + self.lease_seconds - MARGIN_SECONDS
            if claim.timeout is not None and not claim.timeout.expired():
                claim.timeout.reschedule(asyncio.get_running_loop().time() + self.seconds_left(claim))

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Let others have these at once; if the store is away they wait for the lease to end."""
        for claim in claims:
            self._held.discard(claim)
        fences = [(row.queue_id, row.fence) for claim in claims for row in claim.rows]
        if not fences:
            return

        async def work(tx: Transaction) -> None:
            await queue.give_back(tx, fences)

        try:
            await self.database.write(work)
        except EverpostError as error:
            log.warning("leases.kept", queue_ids=[queue_id for queue_id, _ in fences], reason=error.text)

    async def give_back_all(self) -> None:
        """At a clean stop."""
        await self.give_back(list(self._held))
