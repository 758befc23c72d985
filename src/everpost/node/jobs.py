"""What is done from time to time by one worker of the whole cluster."""

import asyncio

from everpost.mailbox.upkeep import collect_orphans, prune_tombstones, sign_contents
from everpost.node.parts import Parts

UPKEEP_SECONDS = 3600.0
_LOOK_SECONDS = (60.0, 300.0)


async def upkeep(parts: Parts) -> None:
    """Once an hour, for ever. Raises StoreUnavailable."""
    while True:
        # At random, so that the workers of all nodes do not come at once.
        await asyncio.sleep(parts.chance.uniform(*_LOOK_SECONDS))
        # The lease is kept to its end: that is what makes it once an hour.
        if await parts.leases.acquire("upkeep", UPKEEP_SECONDS) is not None:
            await prune_tombstones(parts.database, parts.clock)
            await collect_orphans(parts.database, parts.blobs, parts.clock)
            await sign_contents(parts.database, parts.contents, parts.clock)
