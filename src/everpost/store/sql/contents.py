"""Table `content`: the immutable messages themselves, shared by copies, recipients and the queue."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from everpost.core.ids import ContentId
from everpost.store.ports import Transaction
from everpost.store.sql import signatures


class ContentRow(NamedTuple):
    """A message ready to be stored. `body` is None when it lies in the blob store under `blob_key`."""

    size: int
    """Octets of the whole message, header included."""
    created_at: int
    trace_id: str
    coding: int
    """How `body` (or the blob) is coded: see `mailbox.content`."""
    blob_key: str | None
    envelope: bytes
    bodystructure: bytes
    structure: bytes
    summary: bytes
    header: bytes
    body: bytes | None
    signature: bytes | None = None
    """Goes into the table `signature`: see `message.signature`. None: the message is searched without."""


async def insert(tx: Transaction, content: ContentRow, refs: int) -> ContentId:
    """Store a message to which `refs` rows (messages, queue entries) will point."""
    value = await tx.value(
        """INSERT INTO content (refs, size, created_at, trace_id, coding, blob_key,
                                envelope, bodystructure, structure, summary, header, body)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING content_id""",
        refs,
        *content[:-1],
    )
    if content.signature is not None:
        await signatures.insert(tx, value, content.signature)
    return ContentId(value)


async def add_refs(tx: Transaction, counts: Iterable[tuple[ContentId, int]]) -> None:
    """So many more rows point to each content. The caller's own row already points to it."""
    await tx.many(
        "UPDATE content SET refs = refs + $2 WHERE content_id = $1",
        sorted(counts),
    )


async def drop_refs(tx: Transaction, counts: Iterable[tuple[ContentId, int]]) -> list[str]:
    """So many rows that pointed to each content are gone; delete what nothing points to any more.

    Rows are locked in the order of their ids, so two transactions never wait for each other in a circle.
    Returns the keys of blobs that nobody needs once this is committed.
    """
    ordered = sorted(counts)
    await tx.many("UPDATE content SET refs = refs - $2 WHERE content_id = $1", ordered)
    rows = await tx.fetch(
        "DELETE FROM content WHERE refs <= 0 AND content_id IN MANY($1) RETURNING content_id, blob_key",
        [content for content, _ in ordered],
    )
    if rows:
        await signatures.remove(tx, [row[0] for row in rows])
    return [row[1] for row in rows if row[1] is not None]


Reader = Callable[[Transaction, Sequence[int]], Awaitable[Sequence[tuple[Any, ...]]]]
"""Reads some columns of many contents; the first is the content's id."""


async def forms(tx: Transaction, ids: Sequence[int]) -> Sequence[tuple[Any, ...]]:
    """(content_id, envelope, bodystructure, structure, trace_id) of each."""
    rows = await tx.fetch(
        "SELECT content_id, envelope, bodystructure, structure, trace_id FROM content WHERE content_id IN MANY($1)", ids
    )
    return [tuple(row) for row in rows]


async def envelopes(tx: Transaction, ids: Sequence[int]) -> Sequence[tuple[Any, ...]]:
    rows = await tx.fetch("SELECT content_id, envelope FROM content WHERE content_id IN MANY($1)", ids)
    return [tuple(row) for row in rows]


async def summaries(tx: Transaction, ids: Sequence[int]) -> Sequence[tuple[Any, ...]]:
    rows = await tx.fetch("SELECT content_id, summary FROM content WHERE content_id IN MANY($1)", ids)
    return [tuple(row) for row in rows]


async def headers(tx: Transaction, ids: Sequence[int]) -> Sequence[tuple[Any, ...]]:
    rows = await tx.fetch("SELECT content_id, header FROM content WHERE content_id IN MANY($1)", ids)
    return [tuple(row) for row in rows]


async def whole(tx: Transaction, content: ContentId) -> tuple[int, int, str | None, bytes, bytes | None] | None:
    """(size, coding, blob_key, header, body) of one; None if it is gone."""
    row = await tx.row("SELECT size, coding, blob_key, header, body FROM content WHERE content_id = $1", content)
    return None if row is None else tuple(row)


async def whole_of(tx: Transaction, ids: Sequence[int]) -> Sequence[tuple[Any, ...]]:
    """(content_id, structure, size, coding, blob_key, header, body) of each."""
    rows = await tx.fetch(
        """SELECT content_id, structure, size, coding, blob_key, header, body
           FROM content WHERE content_id IN MANY($1)""",
        ids,
    )
    return [tuple(row) for row in rows]


async def blob_keys_in_use(tx: Transaction, keys: Sequence[str]) -> set[str]:
    """Which of these blobs some content needs."""
    rows = await tx.fetch("SELECT blob_key FROM content WHERE blob_key IN WORDS($1)", keys)
    return {row[0] for row in rows}


async def by_trace(tx: Transaction, trace_id: str) -> ContentId | None:
    """The content stored under this id; None if there is none."""
    value = await tx.value("SELECT content_id FROM content WHERE trace_id = $1", trace_id)
    return None if value is None else ContentId(value)
