"""What is done from time to time for a cell as a whole.

Orphaned blobs and old tombstones go; messages stored without a signature get one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from everpost.core.clock import Clock, milliseconds
from everpost.core.ids import time_of
from everpost.core.log import logger
from everpost.mailbox.content import Contents
from everpost.message.part import unpack
from everpost.message.signature import sign
from everpost.store.blobs.ports import BlobMissing
from everpost.store.ports import Database, Transaction
from everpost.store.sql import contents, messages, signatures

log = logger("mailbox")

# A blob is written before the transaction that names it; no transaction takes this long (seconds).
ORPHAN_SECONDS = 24 * 3600.0
# How long QRESYNC (RFC 7162) and POP3 clients may stay away and still be told what is gone (seconds).
TOMBSTONE_SECONDS = 30 * 24 * 3600.0
_BATCH = 500
# A version before signatures may still be delivering: its messages are looked at when they are this old (seconds).
SETTLED_SECONDS = 60.0
# Messages signed with one statement, and for how long in one go (seconds).
_SIGN_BATCH = 50
_SIGN_SECONDS = 900.0


class KeptBlobs(Protocol):
    """The part of `store.blobs.ports.BlobStore` that is needed here."""

    def keys(self, prefix: str = "") -> AsyncIterator[str]: ...

    async def delete(self, key: str) -> None: ...


async def collect_orphans(database: Database, blobs: KeptBlobs, clock: Clock) -> int:
    """Delete blobs that no content names and that are a day old; how many there were.

    A blob's key is its message's trace id, which tells its age.
    """
    oldest = clock.now() - ORPHAN_SECONDS
    collected = 0
    batch: list[str] = []
    async for key in blobs.keys():
        if time_of(key.upper()) < oldest:
            batch.append(key)
        if len(batch) >= _BATCH:
            collected += await _collect(database, blobs, batch)
            batch = []
    collected += await _collect(database, blobs, batch)
    if collected:
        log.info("orphans.collected", count=collected)
    return collected


async def _collect(database: Database, blobs: KeptBlobs, keys: list[str]) -> int:
    if not keys:
        return 0

    async def work(tx: Transaction) -> set[str]:
        return await contents.blob_keys_in_use(tx, keys)

    used = await database.read(work)
    orphans = [key for key in keys if key not in used]
    for key in orphans:
        await blobs.delete(key)
    return len(orphans)


async def prune_tombstones(database: Database, clock: Clock, keep_seconds: float = TOMBSTONE_SECONDS) -> int:
    """Forget removals older than `keep_seconds`, a few at a time; how many there were."""
    before = milliseconds(clock.now() - keep_seconds)
    pruned = 0

    async def work(tx: Transaction) -> int:
        return await messages.prune(tx, before, _BATCH)

    while count := await database.write(work):
        pruned += count
    return pruned


async def sign_contents(database: Database, contents_: Contents, clock: Clock) -> int:
    """Give signatures to messages stored without one, oldest first, for at most a quarter of an hour; how many.

    Until then every search of text reads them whole. It rests as long as it works: mail goes first.
    """
    until = clock.monotonic() + _SIGN_SECONDS
    before = milliseconds(clock.now() - SETTLED_SECONDS)
    signed = 0
    done_to = await database.read(signatures.done_to)
    while clock.monotonic() < until:
        started = clock.monotonic()

        async def find(tx: Transaction, after: int = done_to) -> tuple[int, list[tuple[Any, ...]]]:
            rows = await signatures.next_contents(tx, after, before, _SIGN_BATCH)
            missing = [row[0] for row in rows if not row[1]]
            found = await contents.whole_of(tx, missing) if missing else ()
            return (rows[-1][0] if rows else after), list(found)

        last, found = await database.read(find, heavy=True)
        if last == done_to:
            break
        made = [each for row in found if (each := await _signed(contents_, row)) is not None]

        async def keep(tx: Transaction, made: list[tuple[int, bytes]] = made, done_to: int = last) -> None:
            for content_id, data in made:
                await signatures.add(tx, content_id, data)
            await signatures.set_done_to(tx, done_to)

        await database.write(keep)
        done_to = last
        signed += len(made)
        if made:
            await asyncio.sleep(min(1.0, clock.monotonic() - started))
    if signed:
        log.info("contents.signed", count=signed)
    return signed


async def _signed(contents_: Contents, row: tuple[Any, ...]) -> tuple[int, bytes] | None:
    """(content id, signature); None if the message's blob is gone."""
    content_id, structure, *stored = row
    try:
        raw = await contents_.unpack(*stored)
    except BlobMissing:
        return None
    return content_id, await asyncio.to_thread(sign, raw, unpack(structure))
