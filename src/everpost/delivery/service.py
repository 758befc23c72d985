"""The queue as operators see it: what waits, and what can be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from everpost.core.clock import Clock, milliseconds
from everpost.core.errors import Refused
from everpost.core.ids import ContentId, TenantId
from everpost.core.log import logger
from everpost.delivery.bounces import Bounces, Original
from everpost.delivery.notify import wanted
from everpost.delivery.parcel import QUEUE_TOPIC, Parcel, put_all
from everpost.mailbox.content import Contents
from everpost.mailbox.deliver import Deliverer
from everpost.message.dsn import About, Action
from everpost.store.feed import Feed
from everpost.store.ports import Database, Transaction, Work
from everpost.store.sql import contents, queue
from everpost.store.sql.queue import HELD, WAITING, QueueRow

log = logger("delivery")

MAX_PAGE = 1000


class NoEntry(Refused):
    """There is no such entry, or not any more."""


class BeingSent(Refused):
    """The entry is being sent at this moment."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one destination."""

    destination: str
    state: str
    entries: int
    oldest_at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class QueueService:
    """Every method raises StoreUnavailable when the store is away."""

    database: Database
    contents: Contents
    deliverer: Deliverer
    bounces: Bounces
    feed: Feed
    clock: Clock

    async def summary(self) -> list[Waiting]:
        """What waits, by destination, the most first; at most 1000 lines."""
        rows = await self.database.read(queue.counts)
        return [Waiting(destination, state, entries, oldest / 1000) for destination, state, entries, oldest in rows]

    async def entries(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        destination: str | None = None,
        state: str | None = None,
        tenant: TenantId | None = None,
    ) -> list[QueueRow]:
        """A page of entries by id; give the last id as `after` for the next page."""

        async def work(tx: Transaction) -> list[QueueRow]:
            return await queue.page(
                tx, after=after, limit=min(limit, MAX_PAGE), destination=destination, state=state, tenant=tenant
            )

        return await self.database.read(work)

    async def entry(self, queue_id: int) -> QueueRow:
        """One entry. Raises NoEntry."""

        async def work(tx: Transaction) -> QueueRow | None:
            return await queue.get(tx, queue_id)

        row = await self.database.read(work)
        if row is None:
            raise NoEntry("no such queue entry")
        return row

    async def message(self, queue_id: int) -> bytes:
        """The message of an entry. Raises NoEntry, BlobMissing."""
        return await self._read((await self.entry(queue_id)).content_id)

    async def retry(self, ids: Sequence[int]) -> list[int]:
        """Make entries due now, held ones too; an expired one gets one more attempt. The ids that were there."""
        now = milliseconds(self.clock.now())

        async def work(tx: Transaction) -> list[int]:
            return await queue.make_due(tx, list(ids), now)

        return await self._change(work, "queue.retried")

    async def hold(self, ids: Sequence[int]) -> list[int]:
        """Send these no more until released. An attempt that is running goes on. The ids that were there."""

        async def work(tx: Transaction) -> list[int]:
            return await queue.set_state(tx, list(ids), HELD)

        return await self._change(work, "queue.held")

    async def release(self, ids: Sequence[int]) -> list[int]:
        """Let held entries go when they are due. The ids that were there."""

        async def work(tx: Transaction) -> list[int]:
            return await queue.set_state(tx, list(ids), WAITING)

        return await self._change(work, "queue.released")

    async def _change(self, work: Work[list[int]], event: str) -> list[int]:
        done = sorted(await self.database.write(work))
        self.feed.publish(QUEUE_TOPIC)
        log.info(event, queue_ids=done)
        return done

    async def drop(self, queue_id: int, *, notify: bool = True) -> None:
        """Remove an entry; its sender gets a failure notice if it wants one and `notify` is set.

        Raises NoEntry, BeingSent.
        """
        row = await self.entry(queue_id)
        parcels = await self._notice(row) if notify else []
        now = milliseconds(self.clock.now())

        async def work(tx: Transaction) -> list[str]:
            if not await queue.take(tx, [queue_id], now):
                if await queue.get(tx, queue_id) is None:
                    raise NoEntry("no such queue entry")
                raise BeingSent("the entry is being sent now; hold it, or try again in a minute")
            await put_all(tx, parcels, self.deliverer, self.feed)
            return await contents.drop_refs(tx, [(ContentId(row.content_id), 1)])

        blobs = await self.database.write(work)
        await self.contents.discard(blobs)
        log.info("queue.dropped", queue_id=queue_id, told=bool(parcels))

    async def _notice(self, row: QueueRow) -> list[Parcel]:
        if not wanted(row.notify, Action.FAILED):
            return []
        raw = await self._read(row.content_id)
        original = Original(row.reverse_path, raw, row.created_at / 1000, row.ret, row.envid)
        # RFC 3463 section 3.8: X.7.1 delivery not authorized, message refused.
        text = "the message was removed from the queue by an administrator"
        report = About(row.forwarded_by or row.recipient, "5.7.1", text, row.orcpt)
        parcel = await self.bounces.notice(Action.FAILED, original, [report])
        return [] if parcel is None else [parcel]

    async def _read(self, content_id: int) -> bytes:
        async def work(tx: Transaction) -> tuple[int, int, str | None, bytes, bytes | None] | None:
            return await contents.whole(tx, ContentId(content_id))

        row = await self.database.read(work)
        if row is None:
            raise NoEntry("no such queue entry")
        return await self.contents.unpack(*row)
