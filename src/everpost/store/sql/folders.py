"""Tables `folder` and `subscription`: an account's folders with their counters."""

from collections.abc import Sequence
from typing import NamedTuple

from everpost.core.ids import AccountId, FolderId, ModSeq
from everpost.store.ports import Transaction


class FolderRow(NamedTuple):
    """A folder as stored; `uid_next`, `modseq` and the totals are kept by every change."""

    folder_id: FolderId
    name: str
    role: str | None
    uid_validity: int
    uid_next: int
    recent_uid: int
    modseq: int
    messages: int
    unseen: int
    deleted: int
    bytes: int


_COLUMNS = "folder_id, name, role, uid_validity, uid_next, recent_uid, modseq, messages, unseen, deleted, bytes"


async def all_of(tx: Transaction, account: AccountId) -> list[FolderRow]:
    """Every folder of the account, in no order."""
    return [FolderRow(*row) for row in await tx.fetch(f"SELECT {_COLUMNS} FROM folder WHERE account_id = $1", account)]  # noqa: S608


async def by_name(tx: Transaction, account: AccountId, name: str) -> FolderRow | None:
    row = await tx.row(f"SELECT {_COLUMNS} FROM folder WHERE account_id = $1 AND name = $2", account, name)  # noqa: S608
    return None if row is None else FolderRow(*row)


async def by_id(tx: Transaction, folder: FolderId) -> FolderRow | None:
    row = await tx.row(f"SELECT {_COLUMNS} FROM folder WHERE folder_id = $1", folder)  # noqa: S608
    return None if row is None else FolderRow(*row)


async def create(
    tx: Transaction, account: AccountId, name: str, role: str | None, uid_validity: int, modseq: ModSeq
) -> FolderId:
    """Make an empty folder. Raises Conflict if the name is taken."""
    value = await tx.value(
        """INSERT INTO folder (account_id, name, role, uid_validity, uid_next, recent_uid, modseq,
                               messages, unseen, deleted, bytes)
           VALUES ($1, $2, $3, $4, 1, 1, $5, 0, 0, 0, 0) RETURNING folder_id""",
        account,
        name,
        role,
        uid_validity,
        modseq,
    )
    return FolderId(value)


async def rename(tx: Transaction, folder: FolderId, name: str, modseq: ModSeq) -> None:
    """Raises Conflict if the name is taken."""
    await tx.execute("UPDATE folder SET name = $2, modseq = $3 WHERE folder_id = $1", folder, name, modseq)


async def delete(tx: Transaction, folder: FolderId) -> None:
    """Remove the row, the tombstones and the annotations; the messages must be gone already."""
    await tx.execute("DELETE FROM annotation WHERE folder_id = $1", folder)
    await tx.execute("DELETE FROM expunged WHERE folder_id = $1", folder)
    await tx.execute("DELETE FROM folder WHERE folder_id = $1", folder)


async def take_uids(tx: Transaction, folder: FolderId, count: int, modseq: ModSeq) -> int | None:
    """Reserve `count` consecutive UIDs; return the first, None if the folder is gone."""
    value = await tx.value(
        "UPDATE folder SET uid_next = uid_next + $2, modseq = $3 WHERE folder_id = $1 RETURNING uid_next - $2",
        folder,
        count,
        modseq,
    )
    return None if value is None else int(value)


async def count(
    tx: Transaction, folder: FolderId, modseq: ModSeq, *, messages: int, unseen: int, deleted: int, size: int
) -> None:
    """Change the totals by these differences and note the change."""
    await tx.execute(
        """UPDATE folder SET modseq = $2, messages = messages + $3, unseen = unseen + $4,
                             deleted = deleted + $5, bytes = bytes + $6 WHERE folder_id = $1""",
        folder,
        modseq,
        messages,
        unseen,
        deleted,
        size,
    )


async def claim_recent(tx: Transaction, folder: FolderId, up_to: int) -> None:
    """Messages below UID `up_to` are \\Recent to no later session (RFC 3501 section 2.3.2)."""
    await tx.execute("UPDATE folder SET recent_uid = $2 WHERE folder_id = $1 AND recent_uid < $2", folder, up_to)


async def subscriptions(tx: Transaction, account: AccountId) -> Sequence[str]:
    return [row[0] for row in await tx.fetch("SELECT name FROM subscription WHERE account_id = $1", account)]


async def subscribe(tx: Transaction, account: AccountId, name: str) -> None:
    await tx.execute(
        "INSERT INTO subscription (account_id, name) VALUES ($1, $2) ON CONFLICT (account_id, name) DO NOTHING",
        account,
        name,
    )


async def unsubscribe(tx: Transaction, account: AccountId, name: str) -> None:
    await tx.execute("DELETE FROM subscription WHERE account_id = $1 AND name = $2", account, name)
