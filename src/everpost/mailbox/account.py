"""An account's mail, and the way in: `Mailboxes.open` gives an `AccountMail`."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from everpost.core.clock import Clock, milliseconds
from everpost.core.ids import AccountId, FolderId, ModSeq, trace_id
from everpost.mailbox import annotating, appending, names
from everpost.mailbox import flags as flag_names
from everpost.mailbox import folders as folder_changes
from everpost.mailbox.appending import NewMessage, Replaced
from everpost.mailbox.content import Contents
from everpost.mailbox.deliver import place_content
from everpost.mailbox.errors import NoFolder
from everpost.mailbox.index import FolderIndex
from everpost.mailbox.narrowing import SignatureCache
from everpost.mailbox.reading import RawCache
from everpost.mailbox.values import Appended, AppendedMany, Folder, Usage
from everpost.mailbox.view import View
from everpost.message.digest import digest
from everpost.store.feed import Feed
from everpost.store.ports import Database, Transaction
from everpost.store.sql import counters, folders, messages
from everpost.store.sql.messages import DELETED

# Indexes that no session uses are kept for the next one, up to so many folders and messages.
KEPT_FOLDERS = 1_000
KEPT_MESSAGES = 100_000
# Larger messages are analysed off the event loop.
_THREAD_BYTES = 256 * 1024


@dataclass(slots=True)
class Mailboxes:
    """One worker's way to every account's mail."""

    database: Database
    contents: Contents
    feed: Feed
    clock: Clock
    chance: random.Random
    raw_cache: RawCache = field(default_factory=RawCache)
    signatures: SignatureCache = field(default_factory=SignatureCache)
    _used: dict[int, tuple[FolderIndex, int]] = field(default_factory=dict)
    _unused: OrderedDict[int, FolderIndex] = field(default_factory=OrderedDict)
    _unused_messages: int = 0

    async def open(self, account_id: AccountId, quota: int | None = None) -> "AccountMail":
        """The account's mail, with its first folders made if it has none. Raises StoreUnavailable.

        `quota` in bytes; None or 0 for none.
        """
        mail = AccountMail(self, account_id, quota or 0)
        rows = await self.database.query("SELECT 1 FROM folder WHERE account_id = $1 LIMIT 1", account_id)
        if not rows:
            now = int(self.clock.now())

            async def work(tx: Transaction) -> None:
                await folder_changes.create_first(tx, account_id, now)

            await self.database.write(work)
        return mail

    def take(self, folder_id: FolderId) -> FolderIndex:
        """The index of a folder, shared by all who use it; give it back with `release`."""
        index, users = self._used.get(folder_id, (None, 0))
        if index is None:
            index = self._unused.pop(folder_id, None)
            if index is None:
                index = FolderIndex(self.database, folder_id)
            else:
                self._unused_messages -= len(index.uids)
        self._used[folder_id] = (index, users + 1)
        return index

    def release(self, index: FolderIndex) -> None:
        """One user less."""
        held, users = self._used[index.folder_id]
        if users > 1:
            self._used[index.folder_id] = (held, users - 1)
            return
        del self._used[index.folder_id]
        if index.folder is None:
            return
        self._unused[index.folder_id] = index
        self._unused_messages += len(index.uids)
        while self._unused and (len(self._unused) > KEPT_FOLDERS or self._unused_messages > KEPT_MESSAGES):
            _, old = self._unused.popitem(last=False)
            self._unused_messages -= len(old.uids)


@dataclass(slots=True, eq=False)
class AccountMail:
    """One account's mail, as one session uses it."""

    mailboxes: Mailboxes
    account_id: AccountId
    quota: int
    """Bytes, 0 for none."""

    @property
    def database(self) -> Database:
        """The account's cell."""
        return self.mailboxes.database

    @property
    def contents(self) -> Contents:
        """What packs and unpacks messages."""
        return self.mailboxes.contents

    @property
    def feed(self) -> Feed:
        """The change feed."""
        return self.mailboxes.feed

    @property
    def clock(self) -> Clock:
        """What tells the time."""
        return self.mailboxes.clock

    @property
    def raw_cache(self) -> RawCache:
        """Messages read lately."""
        return self.mailboxes.raw_cache

    @property
    def topic(self) -> str:
        """The account's topic in the change feed."""
        return topic(self.account_id)

    def publish(self, modseq: ModSeq) -> None:
        """Tell everybody that the account changed; after the commit."""
        self.feed.publish(self.topic, modseq)

    def release(self, index: FolderIndex) -> None:
        """A view is done with an index."""
        self.mailboxes.release(index)

    async def folders(self) -> list[Folder]:
        """Every folder, INBOX first, then by name. Raises StoreUnavailable."""

        async def work(tx: Transaction) -> list[Folder]:
            subscribed = set(await folders.subscriptions(tx, self.account_id))
            return [folder_changes.shown(row, subscribed) for row in await folders.all_of(tx, self.account_id)]

        found = await self.database.read(work)
        return sorted(found, key=lambda folder: (folder.name != names.INBOX, folder.name))

    async def subscriptions(self) -> list[str]:
        """Names subscribed to, whether or not such a folder exists, sorted."""

        async def work(tx: Transaction) -> list[str]:
            return sorted(await folders.subscriptions(tx, self.account_id))

        return await self.database.read(work)

    async def status(self, name: str) -> Folder:
        """One folder. Raises NoFolder, BadFolderName."""
        name = names.normal(name)

        async def work(tx: Transaction) -> Folder:
            row = await folders.by_name(tx, self.account_id, name)
            if row is None:
                raise NoFolder("no such folder")
            rows = await tx.fetch(
                "SELECT 1 FROM subscription WHERE account_id = $1 AND name = $2", self.account_id, name
            )
            return folder_changes.shown(row, {name} if rows else set())

        return await self.database.read(work)

    async def create(self, name: str, role: str | None = None) -> Folder:
        """Make a folder and those above it. Raises FolderExists, BadFolderName."""
        await folder_changes.create(self, names.normal(name), role)
        return await self.status(name)

    async def delete(self, name: str) -> None:
        """Remove a folder and its messages; those below it stay. Raises NoFolder, BadFolderName for INBOX."""
        await folder_changes.delete(self, names.normal(name))

    async def rename(self, old: str, new: str) -> None:
        """Rename a folder and those below it; INBOX's messages move and INBOX stays (RFC 9051 section 6.3.6).

        Raises NoFolder, FolderExists, BadFolderName.
        """
        await folder_changes.rename(self, names.normal(old), names.normal(new))

    async def subscribe(self, name: str) -> None:
        """Raises BadFolderName; the folder need not exist."""
        name = names.normal(name)

        async def work(tx: Transaction) -> None:
            await folders.subscribe(tx, self.account_id, name)

        await self.database.write(work)

    async def unsubscribe(self, name: str) -> None:
        """Does nothing if it was not subscribed."""
        name = names.normal(name)

        async def work(tx: Transaction) -> None:
            await folders.unsubscribe(tx, self.account_id, name)

        await self.database.write(work)

    async def append(
        self, name: str, raw: bytes, flags: frozenset[str] = frozenset(), internal_ms: int | None = None
    ) -> Appended:
        """Store a message in a folder. Raises NoFolder, OverQuota, StoreUnavailable."""
        folder = await self.status(name)
        now = self.clock.now()
        made = await asyncio.to_thread(digest, raw) if len(raw) > _THREAD_BYTES else digest(raw)
        content = await self.contents.pack(raw, made, trace_id(now, self.mailboxes.chance))
        bits, keywords = flag_names.stored(flags)
        placed = await place_content(
            self.database,
            self.account_id,
            folder.name,
            self.quota,
            content,
            bits,
            keywords,
            milliseconds(now) if internal_ms is None else internal_ms,
        )
        self.publish(ModSeq(placed.modseq))
        return Appended(folder.uid_validity, placed.uid)

    async def append_many(
        self, name: str, new: Sequence[NewMessage], replacing: Replaced | None = None
    ) -> AppendedMany:
        """Store messages in a folder, all or none, and remove the one they replace.

        Raises NoFolder, OverQuota, NoMessage if there is nothing to replace any more, StoreUnavailable.
        """
        return await appending.append_many(self, names.normal(name), new, replacing)

    async def deleted_bytes(self, among: Sequence[Folder]) -> dict[int, int]:
        """By folder id, the bytes of messages flagged \\Deleted; 0 is left out."""

        async def work(tx: Transaction) -> dict[int, int]:
            return await messages.flagged_size(tx, [folder.folder_id for folder in among if folder.deleted], DELETED)

        return await self.database.read(work)

    async def annotations(self, name: str) -> dict[str, bytes]:
        """What is noted about a folder, or ("") the account. Raises NoFolder, BadFolderName."""
        return await annotating.read(self, names.normal(name) if name else "")

    async def all_annotations(self) -> dict[int, dict[str, bytes]]:
        """What is noted about every folder, by its id."""
        return await annotating.read_all(self)

    async def annotate(self, name: str, values: Mapping[str, bytes | None]) -> None:
        """Note values, all or none; None removes. Raises NoFolder, BadFolderName, TooManyNotes."""
        await annotating.change(self, names.normal(name) if name else "", values)

    async def select(self, name: str, read_only: bool = False) -> View:
        """Open a folder for a session. Raises NoFolder, StoreUnavailable."""
        folder = await self.status(name)
        folder_id = FolderId(folder.folder_id)
        if not read_only and folder.recent_uid < folder.uid_next:

            async def work(tx: Transaction) -> None:
                await folders.claim_recent(tx, folder_id, folder.uid_next)

            await self.database.write(work)
        index = self.mailboxes.take(folder_id)
        try:
            return await View.open(self, index, folder, read_only=read_only)
        except BaseException:
            self.mailboxes.release(index)
            raise

    async def delete_all(self) -> None:
        """Remove everything: the account is going. Sessions find their folders gone."""
        await folder_changes.delete_all(self)

    async def usage(self) -> Usage:
        """What the account holds."""

        async def work(tx: Transaction) -> counters.Usage | None:
            return await counters.usage(tx, self.account_id)

        usage = await self.database.read(work)
        return Usage(usage.bytes, usage.messages, self.quota) if usage else Usage(0, 0, self.quota)


def topic(account_id: int) -> str:
    """The change feed's topic for an account."""
    return f"account:{account_id}"
