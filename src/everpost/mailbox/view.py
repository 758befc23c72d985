"""One session's sight of one folder: what it has been told, and what it has yet to be told."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everpost.mailbox import flags as flag_names
from everpost.mailbox import reading, searching, writing
from everpost.mailbox import vanished as vanishing
from everpost.mailbox.criteria import Criterion, Ranges
from everpost.mailbox.errors import FolderGone
from everpost.mailbox.index import FolderIndex, position
from everpost.mailbox.reading import Forms
from everpost.mailbox.values import Changes, Copied, Folder, Record, Stored
from everpost.message.summary import Summary
from everpost.store.feed import Subscription
from everpost.store.sql.messages import MessageRow

if TYPE_CHECKING:
    from everpost.mailbox.account import AccountMail


@dataclass(slots=True, eq=False)
class View:
    """Made by `AccountMail.select`; close it when done.

    `uids` changes only in `sync`, so sequence numbers are those the session's client knows.
    """

    mail: "AccountMail"
    index: FolderIndex
    folder: Folder
    """As it was at SELECT."""
    read_only: bool
    uids: list[int]
    """Ascending; a message's sequence number is its place plus one."""
    recent_from: int
    """UIDs from here on are \\Recent in this session (RFC 3501 section 2.3.2)."""
    _changed: set[int]
    _ghosts: dict[int, MessageRow]
    _on_change: Callable[[], None] | None = None
    _subscription: Subscription | None = None
    _looking: bool = False
    """This session is refreshing the index itself and need not be woken."""

    @classmethod
    async def open(cls, mail: "AccountMail", index: FolderIndex, folder: Folder, *, read_only: bool) -> "View":
        """Load the index and start watching it."""
        await index.refresh()
        if index.folder is None:
            raise FolderGone("the folder was deleted")
        view = cls(mail, index, folder, read_only, list(index.uids), folder.recent_uid, set(), {})
        index.watchers.add(view)
        view._subscription = mail.feed.subscribe(mail.topic, view._hear)
        return view

    def close(self) -> None:
        """Let go of the folder; may be called twice."""
        self.index.watchers.discard(self)
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
            self.mail.release(self.index)

    def on_change(self, call: Callable[[], None] | None) -> None:
        """Have `call` called when something in the account may have changed; it then calls `sync`."""
        self._on_change = call

    def _hear(self, modseq: int) -> None:
        if self._on_change is not None and (modseq == 0 or modseq > self.index.modseq):
            self._on_change()

    def learn(self, changed: Sequence[MessageRow], removed: Sequence[MessageRow]) -> None:
        """Implements index.Watcher."""
        self._changed.update(row.uid for row in changed)
        for row in removed:
            if position(self.uids, row.uid) is not None:
                self._ghosts[row.uid] = row
        if self._on_change is not None and not self._looking and (changed or removed):
            self._on_change()

    async def _refresh(self) -> None:
        self._looking = True
        try:
            await self.index.refresh()
        finally:
            self._looking = False

    @property
    def highest_modseq(self) -> int:
        """Of the folder, as of the last `sync`."""
        return self.index.modseq

    @property
    def uid_next(self) -> int:
        """Of the folder, as of the last `sync`."""
        return self.index.folder.uid_next if self.index.folder is not None else self.folder.uid_next

    def sequence(self, uid: int) -> int | None:
        """The message sequence number; None if this session does not know the message."""
        place = position(self.uids, uid)
        return None if place is None else place + 1

    def is_gone(self, uid: int) -> bool:
        """True for a message that was expunged but whose EXPUNGE has not been told yet."""
        return uid in self._ghosts

    def record(self, uid: int) -> Record:
        """What is known of a message in `uids`; of one that is gone, what was known last."""
        return self._record(self._row(uid))

    def rows(self, uids: Iterable[int]) -> list[MessageRow]:
        """The stored rows of messages in `uids`, quicker than records where thousands are wanted."""
        known = self.index.rows
        return [known[uid] if uid in known else self._ghosts[uid] for uid in uids]

    def _row(self, uid: int) -> MessageRow:
        row = self.index.rows.get(uid)
        return row if row is not None else self._ghosts[uid]

    def _record(self, row: MessageRow) -> Record:
        return Record(
            uid=row.uid,
            flags=flag_names.names(row.flags, row.keywords),
            modseq=row.modseq,
            size=row.size,
            internal_ms=row.internal_at,
            recent=row.uid >= self.recent_from,
            content_id=row.content_id,
        )

    async def sync(self, expunges: bool) -> Changes:
        """Learn what is committed now, and return what the client has not been told.

        With `expunges` false, messages that are gone keep their sequence numbers until a later call.
        Raises StoreUnavailable.
        """
        await self._refresh()
        if self.index.folder is None:
            return Changes(gone=True)
        expunged: list[int] = []
        vanished: list[int] = []
        if expunges and self._ghosts:
            vanished = sorted(self._ghosts)
            self._ghosts.clear()
            # From the last to the first: each number is right when it is said.
            expunged = [place + 1 for uid in reversed(vanished) if (place := position(self.uids, uid)) is not None]
            gone = set(vanished)
            self.uids = [uid for uid in self.uids if uid not in gone]
        last = self.uids[-1] if self.uids else 0
        known = self.index.uids
        new = known[bisect_right(known, last) :]
        changed: list[tuple[int, Record]] = []
        if self._changed:
            rows = self.index.rows
            for uid in sorted(self._changed):
                place = position(self.uids, uid)
                if place is not None and uid in rows:
                    changed.append((place + 1, self._record(rows[uid])))
            self._changed.clear()
        self.uids.extend(new)
        return Changes(
            expunged=expunged,
            vanished=vanished,
            exists=len(self.uids) if new else None,
            recent=sum(1 for uid in new if uid >= self.recent_from),
            flags=changed,
        )

    async def store(
        self, uids: Sequence[int], op: str, flags: frozenset[str], unchanged_since: int | None = None
    ) -> Stored:
        """Change flags: `op` is "set", "add" or "remove".

        `changed` holds every message that is there and was not `modified` after `unchanged_since`, whether
        or not its flags are now other than before. `sync` will not tell these again.
        Raises StoreUnavailable, FolderGone.
        """
        modified = await writing.store_flags(self.mail, self.index.folder_id, uids, op, flags, unchanged_since)
        await self._refresh()
        refused = set(modified)
        done = [uid for uid in uids if uid not in refused and uid in self.index.rows]
        self._changed.difference_update(done)
        return Stored(changed=[self._record(self.index.rows[uid]) for uid in done], modified=modified)

    async def copy(self, uids: Sequence[int], name: str) -> Copied:
        """Copy messages to another folder of the account. Raises NoFolder, OverQuota, StoreUnavailable."""
        return await writing.copy(self.mail, self.index.folder_id, uids, name)

    async def move(self, uids: Sequence[int], name: str) -> Copied:
        """Move messages: one transaction. Raises NoFolder, StoreUnavailable."""
        return await writing.move(self.mail, self.index.folder_id, uids, name)

    async def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        """Remove messages flagged \\Deleted, all or those among `uids`; the UIDs removed."""
        return await writing.expunge(self.mail, self.index.folder_id, uids, flagged_only=True)

    async def remove(self, uids: Sequence[int]) -> list[int]:
        """Remove these messages whatever their flags; the UIDs removed."""
        return await writing.expunge(self.mail, self.index.folder_id, uids, flagged_only=False)

    async def vanished(self, since: int, known: Ranges | None) -> list[tuple[int, int]]:
        """Ranges of UIDs among `known` (None: all) that were removed after modseq `since`; see `mailbox.vanished`."""
        return await vanishing.vanished(self, since, known)

    async def forms(self, uids: Sequence[int]) -> dict[int, Forms]:
        """Envelope, body structure and part offsets of each message that is still stored."""
        return await reading.forms(self.mail, self.rows(uids))

    async def envelopes(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The IMAP ENVELOPE of each message that is still stored."""
        return await reading.envelopes(self.mail, self.rows(uids))

    async def summaries(self, uids: Sequence[int]) -> dict[int, Summary]:
        """What lists, sorting and threads need of each message that is still stored."""
        return await reading.summaries(self.mail, self.rows(uids))

    async def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The header, blank line included, of each message that is still stored."""
        return await reading.headers(self.mail, self.rows(uids))

    async def raw(self, uid: int) -> bytes | None:
        """The message; None if it is not stored any more. Raises StoreUnavailable."""
        return await reading.raw(self.mail, self._row(uid).content_id)

    async def search(self, criterion: Criterion) -> list[int]:
        """UIDs in `uids` that match, ascending. Raises StoreUnavailable."""
        return await searching.search(self, criterion)
