"""Table `signature`: what a content's text cannot contain (see `message.signature`); a content may have none."""

from collections.abc import Sequence

from everpost.store.ports import Row, Transaction


async def insert(tx: Transaction, content: int, data: bytes) -> None:
    """Of a content without one."""
    await tx.execute("INSERT INTO signature (content_id, data) VALUES ($1, $2)", content, data)


async def add(tx: Transaction, content: int, data: bytes) -> None:
    """Of a content that may be gone by now, or have one."""
    # Else one that is being deleted at this moment would leave its signature behind.
    lock = " FOR KEY SHARE" if tx.dialect == "postgres" else ""
    await tx.execute(
        f"""INSERT INTO signature (content_id, data) SELECT content_id, $2 FROM content WHERE content_id = $1{lock}
           ON CONFLICT (content_id) DO NOTHING""",  # noqa: S608 - two fixed texts
        content,
        data,
    )


async def remove(tx: Transaction, contents: Sequence[int]) -> None:
    """Of contents that are gone."""
    await tx.execute("DELETE FROM signature WHERE content_id IN MANY($1)", list(contents))


async def of(tx: Transaction, contents: Sequence[int]) -> Sequence[Row]:
    """(content_id, data) of those that have one."""
    return await tx.fetch("SELECT content_id, data FROM signature WHERE content_id IN MANY($1)", list(contents))


async def done_to(tx: Transaction) -> int:
    """All contents up to this one have a signature, or have been looked at."""
    value = await tx.value("SELECT done_to FROM signing")
    return int(value or 0)


async def set_done_to(tx: Transaction, content: int) -> None:
    """See `done_to`."""
    await tx.execute("UPDATE signing SET done_to = $1", content)


async def next_contents(tx: Transaction, after: int, created_before: int, count: int) -> Sequence[Row]:
    """(content_id, whether it has a signature) of the contents that follow one, oldest first."""
    return await tx.fetch(
        """SELECT content.content_id, signature.content_id IS NOT NULL FROM content
           LEFT JOIN signature ON signature.content_id = content.content_id
           WHERE content.content_id > $1 AND content.created_at < $2 ORDER BY content.content_id LIMIT $3""",
        after,
        created_before,
        count,
    )
