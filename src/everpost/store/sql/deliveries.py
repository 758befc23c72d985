"""One message into one folder: the statements every delivery pays for.

On PostgreSQL they are one statement, because there each costs a round trip (one of the few places where
the engines truly differ); the account row is locked first in both forms.
"""

from typing import NamedTuple

from everpost.core.ids import AccountId, FolderId, ModSeq
from everpost.store.ports import Database, Transaction
from everpost.store.sql import contents, counters, folders, messages
from everpost.store.sql.contents import ContentRow
from everpost.store.sql.messages import SEEN, MessageRow


class Placed(NamedTuple):
    """Where a message went."""

    folder_id: int
    uid: int
    modseq: int
    content_id: int


_ONE = """
WITH account AS (
    UPDATE mail_account SET modseq = modseq + 1, bytes = bytes + $4, messages = messages + 1
    WHERE account_id = $1 AND ($3 = 0 OR bytes + $4 <= $3) RETURNING account_id, modseq
), place AS (
    UPDATE folder SET uid_next = uid_next + 1, modseq = account.modseq, messages = messages + 1,
                      unseen = unseen + $17, bytes = bytes + $4
    FROM account WHERE folder.account_id = account.account_id AND folder.name = $2
    RETURNING folder_id, uid_next - 1 AS uid, folder.modseq AS modseq
), kept AS (
    INSERT INTO content (refs, size, created_at, trace_id, coding, blob_key,
                         envelope, bodystructure, structure, summary, header, body)
    SELECT 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM place RETURNING content_id
), signed AS (
    INSERT INTO signature (content_id, data) SELECT content_id, $15 FROM kept WHERE $15::bytea IS NOT NULL
)
INSERT INTO message (folder_id, uid, modseq, flags, keywords, size, internal_at, saved_at, content_id)
SELECT place.folder_id, place.uid, place.modseq, $16, $18, $4, $19, $5, kept.content_id FROM place, kept
RETURNING folder_id, uid, modseq, content_id
"""


async def deliver_one(
    database: Database,
    account: AccountId,
    folder_name: str,
    quota: int,
    content: ContentRow,
    flags: int,
    keywords: str,
    internal_at: int,
) -> Placed | None:
    """Store and place a message in one transaction; None if there is no such folder, or no room.

    `quota` in bytes, 0 for none. Raises StoreUnavailable, OutcomeUnknown.
    """
    if database.dialect == "postgres":
        unseen = 0 if flags & SEEN else 1
        rows = await database.statement(
            _ONE, account, folder_name, quota, *content, flags, unseen, keywords, internal_at
        )
        return Placed(*rows[0]) if rows else None

    async def work(tx: Transaction) -> Placed | None:
        folder = await folders.by_name(tx, account, folder_name)
        if folder is None:
            return None
        modseq = await counters.lock_for(tx, account, content.size, quota)
        if modseq is None:
            return None
        content_id = await contents.insert(tx, content, 1)
        uid = await place(tx, folder.folder_id, modseq, content, content_id, flags, keywords, internal_at)
        return Placed(folder.folder_id, uid, modseq, content_id)

    return await database.write(work)


_NEXT = """UPDATE folder SET uid_next = uid_next + 1, modseq = $2, messages = messages + 1,
                             unseen = unseen + $3, deleted = deleted + $4, bytes = bytes + $5
           WHERE folder_id = $1 RETURNING uid_next - 1"""


async def place(
    tx: Transaction,
    folder: FolderId,
    modseq: ModSeq,
    content: ContentRow,
    content_id: int,
    flags: int,
    keywords: str,
    internal_at: int,
) -> int:
    """Put a stored content into a folder; return its UID. The caller holds the account's lock."""
    uid = await tx.value(
        _NEXT,
        folder,
        modseq,
        0 if flags & SEEN else 1,
        1 if flags & messages.DELETED else 0,
        content.size,
    )
    row = MessageRow(uid, modseq, flags, keywords, content.size, internal_at, content.created_at, content_id)
    await messages.insert(tx, folder, row)
    return int(uid)
