"""A node under load that is hurt for a while, and judged at the end."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine, Mapping

from tests.chaos.actors import collect, deliver, flag
from tests.chaos.ledger import Account, Ledger
from tests.servers.node import Node

SECONDS = float(os.environ.get("EVERPOST_CHAOS_SECONDS", "8"))
DELIVERERS = 20
FLAGGERS = 10
ACCOUNTS = 5
# On a slow machine a storm goes on until it has shown something, at most this much longer.
PATIENCE_SECONDS = 60.0
# All who read list the whole mailbox each time, so its growth is bounded (messages in all).
MOST_MESSAGES = 20_000
JUDGING_SECONDS = 120.0

Going = Callable[[], bool]
Hurt = Callable[[Ledger, random.Random, Going], Coroutine[None, None, None]]


def seed() -> int:
    """EVERPOST_CHAOS_SEED or a new one; printed, so that a run's choices (not its timing) can be repeated."""
    chosen = int(os.environ.get("EVERPOST_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
    print(f"EVERPOST_CHAOS_SEED={chosen}")
    return chosen


async def storm(node: Node, hurt: Hurt, wanted: Mapping[str, float]) -> Ledger:
    """Use and hurt the node, then compare all that is there with all that was acknowledged.

    `wanted` says which counts of the ledger must be reached: a run that did not hurt, or in which little got
    through, has shown nothing. Raises PromiseBroken, Unexpected, AssertionError.
    """
    chance = random.Random(seed())
    ledger = Ledger({node.address(number): Account() for number in range(ACCOUNTS)})
    accounts = list(ledger.accounts)
    wanted = {"acknowledged": SECONDS * 20, "stores": SECONDS * 5, "selects": SECONDS, **wanted}
    end = time.monotonic() + SECONDS
    pause = max(0.08, DELIVERERS * SECONDS / MOST_MESSAGES)

    def lacking() -> dict[str, float]:
        return {what: least for what, least in wanted.items() if ledger.counts[what] < least}

    def going() -> bool:
        now = time.monotonic()
        return now < end or (now < end + PATIENCE_SECONDS and bool(lacking()))

    def own() -> random.Random:
        return random.Random(chance.getrandbits(64))

    async with asyncio.timeout(SECONDS + PATIENCE_SECONDS + 60), asyncio.TaskGroup() as group:
        for number in range(DELIVERERS):
            group.create_task(deliver(node, ledger, f"d{number}", own(), going, pause))
        for number in range(FLAGGERS):
            group.create_task(flag(node, ledger, f"F{number}", accounts[number % ACCOUNTS], own(), going))
        group.create_task(hurt(ledger, own(), going))
    await asyncio.to_thread(node.wait_ready)
    async with asyncio.timeout(JUDGING_SECONDS):
        for account in accounts:
            await collect(node, ledger, account)
    print(dict(ledger.counts), f"unanswered: {len(ledger.unanswered)}")
    assert not lacking(), (lacking(), ledger.counts)
    return ledger
