"""Tables `message` and `expunged`: what lies in which folder under which UID, and what lay there."""

from collections.abc import Sequence
from typing import NamedTuple

from everpost.core.ids import ContentId, FolderId, ModSeq
from everpost.store.ports import Transaction

# Flags as bits of `message.flags`; other keywords stand in `message.keywords`.
SEEN = 1
ANSWERED = 2
FLAGGED = 4
DELETED = 8
DRAFT = 16


class MessageRow(NamedTuple):
    """A message in a folder."""

    uid: int
    modseq: int
    flags: int
    keywords: str
    """Other keywords, sorted, joined by spaces."""
    size: int
    internal_at: int
    """Unix milliseconds."""
    saved_at: int
    content_id: int


_COLUMNS = "uid, modseq, flags, keywords, size, internal_at, saved_at, content_id"
_INSERT = f"""INSERT INTO message (folder_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""  # noqa: S608


async def insert(tx: Transaction, folder: FolderId, row: MessageRow) -> None:
    await tx.execute(_INSERT, folder, *row)


async def insert_many(tx: Transaction, folder: FolderId, rows: Sequence[MessageRow]) -> None:
    await tx.many(_INSERT, [(folder, *row) for row in rows])


async def all_in(tx: Transaction, folder: FolderId) -> Sequence[MessageRow]:
    """Every message of a folder, by UID."""
    return await tx.fetch(f"SELECT {_COLUMNS} FROM message WHERE folder_id = $1 ORDER BY uid", folder)  # type: ignore[return-value] # noqa: S608


async def changed_since(tx: Transaction, folder: FolderId, modseq: int) -> Sequence[MessageRow]:
    """Messages changed or arrived after `modseq`, by UID."""
    return await tx.fetch(  # type: ignore[return-value]
        f"SELECT {_COLUMNS} FROM message WHERE folder_id = $1 AND modseq > $2 ORDER BY uid",  # noqa: S608
        folder,
        modseq,
    )


async def expunged_since(tx: Transaction, folder: FolderId, modseq: int) -> list[int]:
    """UIDs of messages removed after `modseq`, in no order."""
    rows = await tx.fetch("SELECT uid FROM expunged WHERE folder_id = $1 AND modseq > $2", folder, modseq)
    return [row[0] for row in rows]


async def some(tx: Transaction, folder: FolderId, uids: Sequence[int]) -> list[MessageRow]:
    """Those of the messages that are there, by UID."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM message WHERE folder_id = $1 AND uid IN MANY($2) ORDER BY uid",  # noqa: S608
        folder,
        uids,
    )
    return [MessageRow(*row) for row in rows]


async def set_flags(
    tx: Transaction, folder: FolderId, uids: Sequence[int], flags: int, keywords: str, modseq: ModSeq
) -> None:
    """Give all of these messages the same flags."""
    await tx.execute(
        "UPDATE message SET flags = $3, keywords = $4, modseq = $5 WHERE folder_id = $1 AND uid IN MANY($2)",
        folder,
        uids,
        flags,
        keywords,
        modseq,
    )


async def remove(tx: Transaction, folder: FolderId, uids: Sequence[int], modseq: ModSeq, now_ms: int) -> None:
    """Remove the rows and leave tombstones; the caller settles references and totals."""
    await tx.execute("DELETE FROM message WHERE folder_id = $1 AND uid IN MANY($2)", folder, uids)
    await tx.many(
        "INSERT INTO expunged (folder_id, modseq, uid, expunged_at) VALUES ($1, $2, $3, $4)",
        [(folder, modseq, uid, now_ms) for uid in uids],
    )


async def remove_all(tx: Transaction, folder: FolderId) -> list[tuple[ContentId, int]]:
    """Remove every message of a folder that is going; return (content, how often) of what was there."""
    rows = await tx.fetch("DELETE FROM message WHERE folder_id = $1 RETURNING content_id", folder)
    counts: dict[int, int] = {}
    for (content,) in rows:
        counts[content] = counts.get(content, 0) + 1
    return [(ContentId(content), number) for content, number in counts.items()]


async def flagged(tx: Transaction, folder: FolderId, bit: int) -> Sequence[MessageRow]:
    """Messages that have the flag, by UID."""
    return await tx.fetch(  # type: ignore[return-value]
        f"SELECT {_COLUMNS} FROM message WHERE folder_id = $1 AND flags & $2 <> 0 ORDER BY uid",  # noqa: S608
        folder,
        bit,
    )


async def flagged_size(tx: Transaction, folders: Sequence[int], bit: int) -> dict[int, int]:
    """By folder, the octets of messages that have the flag; folders without any are left out."""
    rows = await tx.fetch(
        """SELECT folder_id, sum(size) FROM message WHERE folder_id IN MANY($1) AND flags & $2 <> 0
           GROUP BY folder_id""",
        folders,
        bit,
    )
    return {row[0]: int(row[1]) for row in rows}


async def prune(tx: Transaction, before_ms: int, limit: int) -> int:
    """Forget up to `limit` tombstones left before `before_ms`; how many there were."""
    rows = await tx.fetch(
        """DELETE FROM expunged WHERE (folder_id, modseq, uid) IN (
               SELECT folder_id, modseq, uid FROM expunged WHERE expunged_at < $1 ORDER BY expunged_at LIMIT $2)
           RETURNING folder_id, modseq""",
        before_ms,
        limit,
    )
    latest: dict[int, int] = {}
    for folder, modseq in rows:
        latest[folder] = max(modseq, latest.get(folder, 0))
    await tx.many(
        "UPDATE folder SET pruned_modseq = $2 WHERE folder_id = $1 AND pruned_modseq < $2", sorted(latest.items())
    )
    return len(rows)


async def pruned(tx: Transaction, folder: FolderId) -> int | None:
    """The modseq up to which tombstones may be forgotten; None if the folder is gone."""
    value = await tx.value("SELECT pruned_modseq FROM folder WHERE folder_id = $1", folder)
    return None if value is None else int(value)
