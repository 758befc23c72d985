"""kill -9 of a random worker, again and again, while mail comes in and flags change.

What must hold: every acknowledged message is there exactly once with its own bytes, UIDs never repeat or go
back, MODSEQs never go back, acknowledged flag changes stay. `EVERPOST_CHAOS_SECONDS` says for how long each
engine is hurt, `EVERPOST_CHAOS_SEED` repeats a run's choices (not its timing).
"""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

from tests.chaos.actors import collect, deliver, flag
from tests.chaos.ledger import Account, Ledger
from tests.servers.node import Node

SECONDS = float(os.environ.get("EVERPOST_CHAOS_SECONDS", "12"))
DELIVERERS = 20
FLAGGERS = 10
ACCOUNTS = 5
WORKERS = 3
# On a slow machine a run goes on until it has shown something, at most this much longer.
PATIENCE_SECONDS = 60.0
# All who read list the whole mailbox each time, so its growth is bounded (messages in all).
MOST_MESSAGES = 20_000


@pytest.fixture
def node(database_url: str) -> Iterator[Node]:
    started = Node(database_url, users=ACCOUNTS, workers=WORKERS)
    started.start()
    yield started
    started.stop()


async def hurt(node: Node, ledger: Ledger, chance: random.Random, going: Callable[[], bool]) -> None:
    """Kill a worker every now and then, sometimes two, now and then while another is still starting."""
    while going():
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        if chance.random() < 0.8:
            end = time.monotonic() + 10
            while node.serving() < WORKERS and going() and time.monotonic() < end:
                await asyncio.sleep(0.05)
        for _ in range(chance.choice((1, 1, 1, 2))):
            if node.kill_worker(chance):
                ledger.counts["kills"] += 1


def has_shown_something(ledger: Ledger) -> bool:
    """A run that did not hurt, or in which little got through, has shown nothing."""
    wanted = {"kills": SECONDS / 3, "smtp cut off": 1, "imap cut off": 1, "acknowledged": SECONDS * 20}
    wanted |= {"stores": SECONDS * 10, "selects": SECONDS}
    return all(ledger.counts[what] >= least for what, least in wanted.items())


async def test_nothing_acknowledged_is_lost_when_workers_are_killed(node: Node) -> None:
    seed = int(os.environ.get("EVERPOST_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
    print(f"EVERPOST_CHAOS_SEED={seed}")
    chance = random.Random(seed)
    ledger = Ledger({node.address(number): Account() for number in range(ACCOUNTS)})
    accounts = list(ledger.accounts)
    end = time.monotonic() + SECONDS
    pause = max(0.08, DELIVERERS * SECONDS / MOST_MESSAGES)

    def going() -> bool:
        now = time.monotonic()
        return now < end or (now < end + PATIENCE_SECONDS and not has_shown_something(ledger))

    def own() -> random.Random:
        return random.Random(chance.getrandbits(64))

    async with asyncio.timeout(SECONDS + PATIENCE_SECONDS + 60), asyncio.TaskGroup() as group:
        for number in range(DELIVERERS):
            group.create_task(deliver(node, ledger, f"d{number}", own(), going, pause))
        for number in range(FLAGGERS):
            group.create_task(flag(node, ledger, f"F{number}", accounts[number % ACCOUNTS], own(), going))
        group.create_task(hurt(node, ledger, own(), going))

    await asyncio.to_thread(node.wait_ready)
    async with asyncio.timeout(60):
        for account in accounts:
            await collect(node, ledger, account)
    print(dict(ledger.counts), f"unanswered: {len(ledger.unanswered)}")
    assert has_shown_something(ledger), ledger.counts
