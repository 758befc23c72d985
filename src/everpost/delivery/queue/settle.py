"""Writing down what came of an attempt: entries removed or postponed, notices, references, in one transaction."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everpost.core.clock import Clock, milliseconds
from everpost.core.ids import ContentId
from everpost.core.log import logger
from everpost.core.metrics import counter
from everpost.delivery.bounces import Bounces, Original
from everpost.delivery.notify import wanted
from everpost.delivery.parcel import Parcel, put_all
from everpost.delivery.queue.retry import DEFAULT_SCHEDULE, Schedule
from everpost.delivery.remote.outcome import Outcome, Result
from everpost.mailbox.content import Contents
from everpost.mailbox.deliver import Deliverer
from everpost.message.dsn import About, Action
from everpost.store.feed import Feed
from everpost.store.ports import Database, Transaction
from everpost.store.sql import contents, queue
from everpost.store.sql.queue import QueueRow

log = logger("delivery")

# Room in a row and in a log line for a host's words.
MAX_REPLY = 500

ATTEMPTS = counter("delivery", "attempts_total", "Attempts to send, per recipient", ("result",))


class _Lost(Exception):
    """Some claims are over: their entries belong to another worker."""

    def __init__(self, ids: set[int]) -> None:
        self.ids = ids


@dataclass(frozen=True, slots=True)
class _Step:
    """What happens to one entry."""

    row: QueueRow
    outcome: Outcome
    again_at: int | None
    """When to try again (unix milliseconds); None: the entry is removed."""
    notice: Action | None


@dataclass(frozen=True, slots=True)
class Settler:
    """Turns outcomes into rows."""

    database: Database
    contents: Contents
    deliverer: Deliverer
    feed: Feed
    clock: Clock
    chance: random.Random
    bounces: Bounces
    schedule: Schedule = DEFAULT_SCHEDULE

    async def settle(self, rows: Sequence[QueueRow], outcomes: Mapping[int, Outcome], raw: bytes) -> None:
        """Write down the outcome (by queue id) of each row; `raw` is the message, for notices.

        Entries whose claim is over are left alone: whoever has them now says what becomes of them. May be
        repeated after StoreUnavailable without doing anything twice.
        """
        now = self.clock.now()
        steps = [self._step(row, outcomes[row.queue_id], now) for row in rows]
        while steps:
            try:
                blobs = await self.database.write(_Write(self, steps, await self._notices(steps, raw), now))
            except _Lost as lost:
                log.warning("claim.lost", queue_ids=sorted(lost.ids))
                steps = [step for step in steps if step.row.queue_id not in lost.ids]
                continue
            await self.contents.discard(blobs)
            for step in steps:
                self._tell(step)
            return

    def _step(self, row: QueueRow, outcome: Outcome, now: float) -> _Step:
        match outcome.result:
            case Result.DELIVERED:
                relayed = outcome.relayed and wanted(row.notify, Action.RELAYED)
                return _Step(row, outcome, None, Action.RELAYED if relayed else None)
            case Result.FAILED:
                return _Step(row, outcome, None, Action.FAILED if wanted(row.notify, Action.FAILED) else None)
            case Result.LATER:
                expires_at = row.expires_at / 1000
                if now >= expires_at:
                    return _Step(row, outcome, None, Action.FAILED if wanted(row.notify, Action.FAILED) else None)
                again = self.schedule.next_attempt(now, row.attempts + 1, expires_at, self.chance)
                warn = wanted(row.notify, Action.DELAYED) and self.schedule.warning_due(
                    now, row.created_at / 1000, row.warned_at is not None
                )
                return _Step(row, outcome, milliseconds(again), Action.DELAYED if warn else None)

    async def _notices(self, steps: Sequence[_Step], raw: bytes) -> list[Parcel]:
        """One notice per kind for all the entries that want one; they share the envelope."""
        parcels = []
        for notice in Action:
            told = [step for step in steps if step.notice is notice]
            if not told:
                continue
            row = told[0].row
            original = Original(row.reverse_path, raw, row.created_at / 1000, row.ret, row.envid)
            retry_until = row.expires_at / 1000 if notice is Action.DELAYED else None
            parcel = await self.bounces.notice(notice, original, [_report(step) for step in told], retry_until)
            if parcel is not None:
                parcels.append(parcel)
        return parcels

    @staticmethod
    def _tell(step: _Step) -> None:
        row, outcome = step.row, step.outcome
        expired = outcome.result is Result.LATER and step.again_at is None
        result = "expired" if expired else outcome.result.value
        ATTEMPTS.labels(result).inc()
        log.info(
            {"delivered": "message.sent", "later": "message.deferred"}.get(result, "message.failed"),
            queue_id=row.queue_id,
            destination=row.destination,
            host=outcome.host,
            tls=outcome.tls,
            reply=outcome.reply[:MAX_REPLY],
            attempts=row.attempts + 1,
            again_at=step.again_at,
        )


@dataclass(frozen=True, slots=True)
class _Write:
    """The transaction: the keys of blobs that nobody needs after it. Raises _Lost."""

    settler: Settler
    steps: Sequence[_Step]
    parcels: Sequence[Parcel]
    now: float

    async def __call__(self, tx: Transaction) -> list[str]:
        lost = {step.row.queue_id for step in self.steps if not await self._change(tx, step)}
        if lost:
            raise _Lost(lost)
        await put_all(tx, self.parcels, self.settler.deliverer, self.settler.feed)
        gone = sum(1 for step in self.steps if step.again_at is None)
        return await contents.drop_refs(tx, [(ContentId(self.steps[0].row.content_id), gone)]) if gone else []

    async def _change(self, tx: Transaction, step: _Step) -> bool:
        row = step.row
        if step.again_at is None:
            return await queue.finish(tx, row.queue_id, row.fence)
        at = milliseconds(self.now)
        return await queue.postpone(
            tx,
            row.queue_id,
            row.fence,
            at=at,
            due_at=step.again_at,
            reply=step.outcome.reply[:MAX_REPLY],
            warned_at=at if step.notice is Action.DELAYED else row.warned_at,
        )


def _report(step: _Step) -> About:
    outcome = step.outcome
    status = outcome.status
    if step.notice is Action.FAILED and outcome.result is Result.LATER:
        # RFC 3463 section 3.5: X.4.7 delivery time expired; the host's last words stay in the diagnostic.
        status = "4.4.7"
    return About(
        # Whoever forwards need not tell the world where to.
        recipient=step.row.forwarded_by or step.row.recipient,
        orcpt=step.row.orcpt,
        status=status,
        text=outcome.reply,
        remote_host=outcome.host.partition(" ")[0],
        from_peer=outcome.from_peer,
    )
