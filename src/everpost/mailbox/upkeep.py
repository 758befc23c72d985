"""What is done from time to time for a cell as a whole: orphaned blobs and old tombstones go."""

from collections.abc import AsyncIterator
from typing import Protocol

from everpost.core.clock import Clock, milliseconds
from everpost.core.ids import time_of
from everpost.core.log import logger
from everpost.store.ports import Database, Transaction
from everpost.store.sql import contents, messages

log = logger("mailbox")

# A blob is written before the transaction that names it; no transaction takes this long (seconds).
ORPHAN_SECONDS = 24 * 3600.0
# How long QRESYNC (RFC 7162) and POP3 clients may stay away and still be told what is gone (seconds).
TOMBSTONE_SECONDS = 30 * 24 * 3600.0
_BATCH = 500


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
