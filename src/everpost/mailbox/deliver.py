"""Putting new messages into folders: one recipient by the quick way, several in a transaction of the caller's."""

from collections.abc import Sequence
from dataclasses import dataclass

from everpost.core.clock import Clock, milliseconds
from everpost.core.ids import AccountId, ContentId, FolderId, ModSeq
from everpost.mailbox import flags as flag_names
from everpost.mailbox import folders as folder_changes
from everpost.mailbox import names
from everpost.mailbox.errors import NoFolder, OverQuota
from everpost.store.feed import Feed
from everpost.store.ports import Conflict, Database, OutcomeUnknown, StoreUnavailable, Transaction
from everpost.store.sql import contents, counters, deliveries, folders
from everpost.store.sql.contents import ContentRow
from everpost.store.sql.deliveries import Placed


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """A message's way into one account."""

    account_id: AccountId
    folder: str = names.INBOX
    """Where it goes; INBOX if there is no such folder any more."""
    flags: frozenset[str] = frozenset()
    quota: int = 0
    """Bytes the account may hold; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message: where each copy went (None: no room there), in the order asked for."""

    content_id: ContentId
    places: tuple[Placed | None, ...]


async def place_content(
    database: Database,
    account: AccountId,
    folder: str,
    quota: int,
    content: ContentRow,
    bits: int,
    keywords: str,
    internal_ms: int,
) -> Placed:
    """Store and place a message in one transaction. Raises NoFolder, OverQuota, StoreUnavailable.

    If the answer to the commit is lost it asks again by the message's trace id, so that a delivery happens
    once. Only if that fails too does OutcomeUnknown go up; the same call may then be repeated.
    """
    for _ in range(3):
        try:
            placed = await deliveries.deliver_one(
                database, account, folder, quota, content, bits, keywords, internal_ms
            )
        except (OutcomeUnknown, Conflict) as error:
            found = await find(database, account, content.trace_id)
            if found is None:
                raise OutcomeUnknown("the database did not confirm") from error
            return found
        if placed is not None:
            return placed
        await _explain(database, account, folder, quota, content.size)
    raise StoreUnavailable("the mailbox changes too fast")


async def _explain(database: Database, account: AccountId, folder: str, quota: int, size: int) -> None:
    """Why a message could not be placed. Raises NoFolder, OverQuota; returns if neither is so any more."""

    async def why(tx: Transaction) -> None:
        if await folders.by_name(tx, account, folder) is None:
            raise NoFolder("no such folder")
        usage = await counters.usage(tx, account)
        if quota and usage is not None and usage.bytes + size > quota:
            raise OverQuota("the mailbox is full")

    await database.read(why)


async def find(database: Database, account: AccountId, trace_id: str) -> Placed | None:
    """Where a message with this trace id lies in an account; None if it does not. Raises StoreUnavailable."""

    async def work(tx: Transaction) -> Placed | None:
        row = await tx.row(
            """SELECT message.folder_id, message.uid, message.modseq, message.content_id
               FROM content JOIN folder ON folder.account_id = $1
               JOIN message ON message.folder_id = folder.folder_id AND message.content_id = content.content_id
               WHERE content.trace_id = $2""",
            account,
            trace_id,
        )
        return None if row is None else Placed(*row)

    return await database.read(work)


class Deliverer:
    """Delivers into mailboxes and tells the change feed."""

    def __init__(self, database: Database, feed: Feed, clock: Clock) -> None:
        self._database = database
        self._feed = feed
        self._clock = clock

    async def deliver_one(self, copy: LocalCopy, content: ContentRow) -> Placed:
        """One recipient, one transaction, few statements. Raises OverQuota, StoreUnavailable."""
        bits, keywords = flag_names.stored(copy.flags)
        now = milliseconds(self._clock.now())
        for folder in (copy.folder, copy.folder, names.INBOX):
            try:
                placed = await place_content(
                    self._database, copy.account_id, folder, copy.quota, content, bits, keywords, now
                )
            except NoFolder:
                await self._ensure(copy.account_id)
                continue
            self.tell([copy], [placed])
            return placed
        raise OverQuota("the mailbox cannot take mail")

    async def _ensure(self, account: AccountId) -> None:
        seconds = int(self._clock.now())

        async def work(tx: Transaction) -> None:
            await folder_changes.create_first(tx, account, seconds)

        await self._database.write(work)

    async def deliver_in(
        self, tx: Transaction, copies: Sequence[LocalCopy], content: ContentRow, more_refs: int
    ) -> Delivery:
        """Several recipients inside the caller's transaction, the content stored once.

        `more_refs` is how many other rows (queue entries) of the same transaction will point to the content;
        if nothing does, nothing is stored and the content id is 0. Raises Conflict if a message with this
        trace id is stored already: the transaction was tried before and succeeded.
        """
        now = milliseconds(self._clock.now())
        locked: dict[int, tuple[ModSeq, FolderId] | None] = {}
        # Always in the same order, so two transactions never wait for each other in a circle.
        for place in sorted(range(len(copies)), key=lambda place: copies[place].account_id):
            locked[place] = await self._lock(tx, copies[place], content.size)
        refs = more_refs + sum(1 for lock in locked.values() if lock is not None)
        if not refs:
            return Delivery(ContentId(0), tuple(None for _ in copies))
        content_id = await contents.insert(tx, content, refs)
        places: list[Placed | None] = []
        for place, copy in enumerate(copies):
            lock = locked[place]
            if lock is None:
                places.append(None)
                continue
            modseq, folder_id = lock
            bits, keywords = flag_names.stored(copy.flags)
            uid = await deliveries.place(tx, folder_id, modseq, content, content_id, bits, keywords, now)
            places.append(Placed(folder_id, uid, modseq, content_id))
        tx.after_commit(lambda: self.tell(copies, places))
        return Delivery(content_id, tuple(places))

    async def _lock(self, tx: Transaction, copy: LocalCopy, size: int) -> tuple[ModSeq, FolderId] | None:
        """Take the account's lock with room for the message, and find the folder; None if there is no room."""
        folder = await folders.by_name(tx, copy.account_id, copy.folder)
        if folder is None:
            await folder_changes.create_first(tx, copy.account_id, int(self._clock.now()))
            folder = await folders.by_name(tx, copy.account_id, copy.folder)
        if folder is None:
            folder = await folders.by_name(tx, copy.account_id, names.INBOX)
        assert folder is not None
        modseq = await counters.lock_for(tx, copy.account_id, size, copy.quota)
        return None if modseq is None else (modseq, folder.folder_id)

    def tell(self, copies: Sequence[LocalCopy], places: Sequence[Placed | None]) -> None:
        """Wake the sessions of accounts that got something."""
        for copy, place in zip(copies, places, strict=True):
            if place is not None:
                self._feed.publish(f"account:{copy.account_id}", place.modseq)
