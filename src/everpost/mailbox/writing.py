"""Changes to messages that are already in a folder: flags, copies, moves, removal. One transaction each."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from everpost.core.clock import milliseconds
from everpost.core.ids import ContentId, FolderId, ModSeq
from everpost.mailbox import flags as flag_names
from everpost.mailbox.errors import FolderGone, NoFolder, OverQuota
from everpost.mailbox.values import Copied
from everpost.store.ports import Transaction
from everpost.store.sql import contents, counters, folders, messages
from everpost.store.sql.folders import FolderRow
from everpost.store.sql.messages import DELETED, SEEN, MessageRow

if TYPE_CHECKING:
    from everpost.mailbox.account import AccountMail


async def lock(tx: Transaction, mail: "AccountMail") -> ModSeq:
    modseq = await counters.lock(tx, mail.account_id)
    if modseq is None:
        raise FolderGone("the account is gone")
    tx.after_commit(lambda: mail.publish(modseq))
    return modseq


def totals(rows: Sequence[MessageRow]) -> dict[str, int]:
    """What these messages add to a folder's totals."""
    return {
        "messages": len(rows),
        "unseen": sum(1 for row in rows if not row.flags & SEEN),
        "deleted": sum(1 for row in rows if row.flags & DELETED),
        "size": sum(row.size for row in rows),
    }


async def store_flags(
    mail: "AccountMail",
    folder_id: FolderId,
    uids: Sequence[int],
    op: str,
    flags: frozenset[str],
    unchanged_since: int | None,
) -> list[int]:
    """See View.store; returns the UIDs refused because of `unchanged_since`."""

    async def work(tx: Transaction) -> list[int]:
        modseq = await lock(tx, mail)
        rows = await messages.some(tx, folder_id, uids)
        modified = []
        groups: dict[tuple[int, str], list[int]] = {}
        unseen = deleted = 0
        for row in rows:
            if unchanged_since is not None and row.modseq > unchanged_since:
                modified.append(row.uid)
                continue
            bits, keywords = flag_names.change(row.flags, row.keywords, op, flags)
            if bits == row.flags and keywords == row.keywords:
                continue
            groups.setdefault((bits, keywords), []).append(row.uid)
            unseen += bool(row.flags & SEEN) - bool(bits & SEEN)
            deleted += bool(bits & DELETED) - bool(row.flags & DELETED)
        for (bits, keywords), group in groups.items():
            await messages.set_flags(tx, folder_id, group, bits, keywords, modseq)
        if groups:
            await folders.count(tx, folder_id, modseq, messages=0, unseen=unseen, deleted=deleted, size=0)
        return modified

    return await mail.database.write(work)


async def _target(tx: Transaction, mail: "AccountMail", name: str) -> FolderRow:
    folder = await folders.by_name(tx, mail.account_id, name)
    if folder is None:
        raise NoFolder("no such folder")
    return folder


async def _place(
    tx: Transaction, target: FolderRow, rows: Sequence[MessageRow], modseq: ModSeq, saved_at: int
) -> list[int]:
    """Put rows into the target under new UIDs, in their order."""
    first = await folders.take_uids(tx, target.folder_id, len(rows), modseq)
    if first is None:
        raise NoFolder("no such folder")
    new = [row._replace(uid=first + place, modseq=modseq, saved_at=saved_at) for place, row in enumerate(rows)]
    await messages.insert_many(tx, target.folder_id, new)
    await folders.count(tx, target.folder_id, modseq, **totals(rows))
    return [row.uid for row in new]


def references(rows: Sequence[MessageRow]) -> list[tuple[ContentId, int]]:
    return [(ContentId(content), number) for content, number in Counter(row.content_id for row in rows).items()]


async def copy(mail: "AccountMail", folder_id: FolderId, uids: Sequence[int], name: str) -> Copied:
    """See View.copy."""
    saved_at = milliseconds(mail.clock.now())

    async def work(tx: Transaction) -> Copied:
        modseq = await lock(tx, mail)
        target = await _target(tx, mail, name)
        rows = await messages.some(tx, folder_id, uids)
        if not rows:
            return Copied(target.uid_validity, [], [])
        size = sum(row.size for row in rows)
        usage = await counters.usage(tx, mail.account_id)
        if mail.quota and usage is not None and usage.bytes + size > mail.quota:
            raise OverQuota("the mailbox is full")
        new = await _place(tx, target, rows, modseq, saved_at)
        await contents.add_refs(tx, references(rows))
        await counters.add(tx, mail.account_id, size, len(rows))
        return Copied(target.uid_validity, [row.uid for row in rows], new)

    return await mail.database.write(work)


async def move(mail: "AccountMail", folder_id: FolderId, uids: Sequence[int], name: str) -> Copied:
    """See View.move. The contents keep their references, the account its totals."""
    saved_at = milliseconds(mail.clock.now())

    async def work(tx: Transaction) -> Copied:
        modseq = await lock(tx, mail)
        target = await _target(tx, mail, name)
        rows = await messages.some(tx, folder_id, uids)
        if not rows:
            return Copied(target.uid_validity, [], [])
        source = [row.uid for row in rows]
        await messages.remove(tx, folder_id, source, modseq, saved_at)
        await folders.count(tx, folder_id, modseq, **{key: -value for key, value in totals(rows).items()})
        new = await _place(tx, target, rows, modseq, saved_at)
        return Copied(target.uid_validity, source, new)

    return await mail.database.write(work)


async def expunge(
    mail: "AccountMail", folder_id: FolderId, uids: Sequence[int] | None, *, flagged_only: bool
) -> list[int]:
    """See View.expunge and View.remove."""
    freed: list[str] = []
    now = milliseconds(mail.clock.now())

    async def work(tx: Transaction) -> list[int]:
        freed.clear()
        modseq = await lock(tx, mail)
        if uids is None:
            rows = [MessageRow._make(row) for row in await messages.flagged(tx, folder_id, DELETED)]
        else:
            rows = await messages.some(tx, folder_id, uids)
            if flagged_only:
                rows = [row for row in rows if row.flags & DELETED]
        if not rows:
            return []
        gone = [row.uid for row in rows]
        less = {key: -value for key, value in totals(rows).items()}
        await messages.remove(tx, folder_id, gone, modseq, now)
        await folders.count(tx, folder_id, modseq, **less)
        await counters.add(tx, mail.account_id, less["size"], less["messages"])
        freed.extend(await contents.drop_refs(tx, references(rows)))
        return gone

    gone = await mail.database.write(work)
    await mail.contents.discard(freed)
    return gone
