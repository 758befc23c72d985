"""From an envelope and a message to one transaction: mailboxes, queue entries and notices, all or nothing.

Nothing is acknowledged before `Acceptor.accept` returns, and when it raises nothing was kept.

A message for several recipients stands or falls as a whole, because SMTP has one answer for all of them.
The exception: where the commit finds some mailboxes full and others not, the message is kept for the
others and the sender gets a notice about the full ones, in the same transaction; a refusal would make the
sender's host send again to all. If the sender cannot be told (null reverse-path) the whole is put off
instead. For a single recipient, or if all are full, the answer itself says so: 452 when there could be
room later, 552 when the message is larger than the whole mailbox may ever be.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from everpost.core.clock import Clock
from everpost.core.errors import Refused, TryLater
from everpost.core.metrics import counter
from everpost.delivery.bounces import Bounces, Original
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.lifetime import FIVE_DAYS, Lifetime
from everpost.delivery.notify import wanted
from everpost.delivery.parcel import Parcel, put, put_all
from everpost.delivery.plan import Plan, Refusal
from everpost.mailbox.content import Contents
from everpost.mailbox.deliver import Deliverer, LocalCopy
from everpost.mailbox.errors import OverQuota
from everpost.message.digest import digest
from everpost.message.dsn import About, Action
from everpost.store.feed import Feed
from everpost.store.ports import Conflict, Database, OutcomeUnknown, StoreUnavailable, Transaction
from everpost.store.sql import contents
from everpost.store.sql.contents import ContentRow

T = TypeVar("T")

# While the store is away the client is kept waiting this long (seconds), then told to come back.
# RFC 5321 section 4.5.3.2.6: clients wait at least 10 minutes after the data.
PATIENCE_SECONDS = 30.0
# Larger messages are looked through off the event loop.
_THREAD_BYTES = 256 * 1024
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

ACCEPTED = counter("delivery", "messages_accepted_total", "Messages taken in and durable")
RECIPIENTS = counter("delivery", "recipients_accepted_total", "Copies of messages taken in", ("kind",))
_LOCAL = RECIPIENTS.labels("local")
_REMOTE = RECIPIENTS.labels("remote")


class MailboxFull(TryLater):
    """No room now; the owner may make some, so the sender's host should try again."""

    default_status = "4.2.2"


class NeverFits(Refused):
    """The message is larger than the mailbox may be."""

    default_status = "5.2.2"


class NotNow(TryLater):
    """The store is away."""

    default_status = "4.3.0"


class _Full(Exception):
    """Some mailboxes have no room: their places in the parcel. Undoes the transaction."""

    def __init__(self, places: list[int]) -> None:
        self.places = places


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a message, for the log."""

    local: int
    """Mailboxes it is in."""
    remote: int
    """Addresses elsewhere it will be sent to."""
    refused: int
    """Recipients the sender is told of."""


@dataclass(frozen=True, slots=True)
class Acceptor:
    """Takes responsibility for messages."""

    database: Database
    contents: Contents
    deliverer: Deliverer
    bounces: Bounces
    feed: Feed
    clock: Clock
    chance: random.Random
    schedule: Lifetime = FIVE_DAYS
    patience: float = PATIENCE_SECONDS

    async def accept(
        self,
        sender: Sender,
        recipients: Sequence[Recipient],
        raw: bytes,
        trace_id: str,
        refusals: Sequence[Refusal] = (),
    ) -> Accepted:
        """Keep a message for all its recipients; return once it is durable.

        `raw` is complete, with its trace fields. Recipients of kind HERE are delivered and forwarded, those
        of kind ELSEWHERE are queued. Raises MailboxFull, NeverFits, NotNow.
        """
        plan = Plan.of(sender, recipients, refusals, self.clock.now(), self.schedule.lifetime)
        if len(raw) > _THREAD_BYTES:
            summary = await asyncio.to_thread(digest, raw, searchable=bool(plan.local))
        else:
            summary = digest(raw, searchable=bool(plan.local))
        content = await self._patiently(lambda: self.contents.pack(raw, summary, trace_id))
        try:
            if len(plan.local) == 1 and not (plan.remote or plan.refusals or plan.delivered):
                await self._deliver_one(next(iter(plan.local.values()))[0], content)
            else:
                await self._keep(sender, plan, raw, content)
        except (Refused, TryLater) as error:
            # After NotNow the message may be there although nobody said so: its blob must stay.
            if content.blob_key is not None and not isinstance(error, NotNow):
                await self.contents.discard([content.blob_key])
            raise
        ACCEPTED.inc()
        if plan.local:
            _LOCAL.inc(len(plan.local))
        if plan.remote:
            _REMOTE.inc(len(plan.remote))
        return Accepted(len(plan.local), len(plan.remote), len(plan.refusals))

    async def _deliver_one(self, copy: LocalCopy, content: ContentRow) -> None:
        """The quick way of nearly every message."""
        try:
            await self._patiently(lambda: self.deliverer.deliver_one(copy, content))
        except OverQuota as error:
            raise _no_room([copy], content.size) from error

    async def _keep(self, sender: Sender, plan: Plan, raw: bytes, content: ContentRow) -> None:
        """Several recipients, or notices to write: one transaction. Raises MailboxFull, NeverFits, NotNow."""
        while True:
            copies = tuple(copy for copy, _ in plan.local.values())
            parcel = Parcel(content, copies, tuple(plan.remote.values()))
            notices = await self._notices(sender, plan, raw)
            try:
                await self._patiently(lambda: self._write(parcel, notices))  # noqa: B023 - awaited at once
            except _Full as full:
                self._leave_out(sender, plan, [copies[place] for place in full.places], content.size)
            else:
                return

    @staticmethod
    def _leave_out(sender: Sender, plan: Plan, copies: Sequence[LocalCopy], size: int) -> None:
        """Take full mailboxes out of the plan. Raises MailboxFull or NeverFits if that is no way out."""
        if len(copies) == len(plan.local) and not plan.remote:
            raise _no_room(copies, size)
        if sender.address is None:
            raise MailboxFull("a mailbox behind this address is full")
        for copy in copies:
            _, recipient = plan.local.pop(copy.account_id)
            plan.refusals.append(Refusal(recipient, "5.2.2", "the mailbox is full"))
            if recipient in plan.delivered:
                plan.delivered.remove(recipient)

    async def _write(self, parcel: Parcel, notices: Sequence[Parcel]) -> None:
        async def work(tx: Transaction) -> None:
            delivery = await put(tx, parcel, self.deliverer, self.feed)
            full = [place for place, placed in enumerate(delivery.places) if placed is None]
            if full:
                raise _Full(full)
            await put_all(tx, notices, self.deliverer, self.feed)

        try:
            await self.database.write(work)
        except (OutcomeUnknown, Conflict):
            # The answer to a commit was lost, now or at an earlier try: the message's id tells.
            if not await self._is_kept(parcel.content.trace_id):
                raise

    async def _is_kept(self, trace_id: str) -> bool:
        async def work(tx: Transaction) -> bool:
            return await contents.by_trace(tx, trace_id) is not None

        return await self.database.read(work)

    async def _notices(self, sender: Sender, plan: Plan, raw: bytes) -> list[Parcel]:
        """What the sender is told in the same transaction."""
        if sender.address is None or not (plan.refusals or plan.delivered):
            return []
        original = Original(sender.path, raw, self.clock.now(), sender.ret, sender.envid)
        failed = [
            _report(refusal.recipient, refusal.status, refusal.text)
            for refusal in plan.refusals
            if wanted(refusal.recipient.notify, Action.FAILED)
        ]
        delivered = [_report(recipient, "2.0.0", "delivered") for recipient in plan.delivered]
        parcels = []
        for notice, reports in ((Action.FAILED, failed), (Action.DELIVERED, delivered)):
            parcel = await self.bounces.notice(notice, original, reports) if reports else None
            if parcel is not None:
                parcels.append(parcel)
        return parcels

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the store answers, with growing pauses. Raises NotNow after `patience` seconds."""
        try:
            return await call()
        except StoreUnavailable as error:
            failure = error
        until = self.clock.monotonic() + self.patience
        pause = _FIRST_PAUSE
        while self.clock.monotonic() < until:
            await asyncio.sleep(pause * (0.5 + self.chance.random()))
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                return await call()
            except StoreUnavailable as error:
                failure = error
        raise NotNow("the message cannot be stored now") from failure


def _no_room(copies: Sequence[LocalCopy], size: int) -> MailboxFull | NeverFits:
    if all(copy.quota and size > copy.quota for copy in copies):
        return NeverFits("the message is larger than the mailbox")
    return MailboxFull("the mailbox is full")


def _report(recipient: Recipient, status: str, text: str) -> About:
    return About(recipient=str(recipient.address), orcpt=recipient.orcpt, status=status, text=text)
