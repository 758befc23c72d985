"""A folder's messages as this worker knows them: loaded once, shared by its sessions, kept by deltas."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from everpost.core.ids import FolderId
from everpost.store.ports import Database, Transaction
from everpost.store.sql import folders, messages
from everpost.store.sql.folders import FolderRow
from everpost.store.sql.messages import MessageRow


class Watcher(Protocol):
    """A view that wants to know what an index learnt."""

    def learn(self, changed: Sequence[MessageRow], removed: Sequence[MessageRow]) -> None:
        """Messages that changed or arrived, and those that are gone, as they were last."""
        ...


class FolderIndex:
    """All messages of one folder up to `modseq`."""

    def __init__(self, database: Database, folder_id: FolderId) -> None:
        self._database = database
        self.folder_id = folder_id
        self.folder: FolderRow | None = None
        """As of the last refresh; None before the first one and once the folder is gone."""
        self.modseq = 0
        self.uids: list[int] = []
        """Ascending."""
        self.rows: dict[int, MessageRow] = {}
        self.watchers: set[Watcher] = set()
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Bring the index to what is committed now. Raises StoreUnavailable."""
        async with self._lock:
            if self.modseq:
                rows = await self._database.query("SELECT modseq FROM folder WHERE folder_id = $1", self.folder_id)
                if rows and rows[0][0] == self.modseq:
                    return
            heavy = not self.modseq
            folder, changed, expunged = await self._database.read(self._read, heavy=heavy)
            self._apply(folder, changed, expunged)

    async def _read(self, tx: Transaction) -> tuple[FolderRow | None, Sequence[MessageRow], list[int]]:
        # One snapshot: modseqs are taken under the account's lock, so it holds all up to the folder's.
        folder = await folders.by_id(tx, self.folder_id)
        if folder is None:
            return None, (), []
        if not self.modseq:
            return folder, await messages.all_in(tx, self.folder_id), []
        changed = await messages.changed_since(tx, self.folder_id, self.modseq)
        return folder, changed, await messages.expunged_since(tx, self.folder_id, self.modseq)

    def _apply(self, folder: FolderRow | None, changed: Sequence[MessageRow], expunged: Sequence[int]) -> None:
        self.folder = folder
        if folder is None:
            return
        first = not self.modseq
        self.modseq = folder.modseq
        if first:
            rows = [MessageRow._make(row) for row in changed]
            self.uids = [row.uid for row in rows]
            self.rows = dict(zip(self.uids, rows, strict=True))
            return
        removed = [row for row in (self.rows.pop(uid, None) for uid in expunged) if row is not None]
        if removed:
            gone = {row.uid for row in removed}
            self.uids = [uid for uid in self.uids if uid not in gone]
        learnt = []
        last = self.uids[-1] if self.uids else 0
        for values in changed:
            row = MessageRow._make(values)
            learnt.append(row)
            if row.uid not in self.rows:
                # UIDs only grow, and changes come by UID: new ones belong at the end.
                assert row.uid > last
                self.uids.append(row.uid)
                last = row.uid
            self.rows[row.uid] = row
        for watcher in tuple(self.watchers):
            watcher.learn(learnt, removed)

    def has(self, uid: int) -> bool:
        """Whether the message is there."""
        return uid in self.rows


def position(uids: Sequence[int], uid: int) -> int | None:
    """Where `uid` stands in an ascending sequence; None if it does not."""
    place = bisect_left(uids, uid)
    return place if place < len(uids) and uids[place] == uid else None
