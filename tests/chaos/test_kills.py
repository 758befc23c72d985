"""kill -9 again and again, of workers, of the whole node, of the database, while mail comes in and flags change.

What must hold: every acknowledged message is there exactly once with its own bytes, UIDs never repeat or go
back, MODSEQs never go back, acknowledged flag changes stay. `EVERPOST_CHAOS_SECONDS` says how long each storm
takes (`make chaos` sets it), `EVERPOST_CHAOS_SEED` repeats a run's choices.
"""

import asyncio
import random
import time
from collections.abc import Iterator

import pytest

from tests.chaos.ledger import Ledger
from tests.chaos.storm import ACCOUNTS, SECONDS, Going, storm
from tests.servers.node import Node
from tests.servers.postgres import PostgresServer

WORKERS = 3


@pytest.fixture
def node(database_url: str) -> Iterator[Node]:
    started = Node(database_url, users=ACCOUNTS, workers=WORKERS)
    started.start()
    yield started
    started.stop()


async def test_workers_may_die(node: Node) -> None:
    async def hurt(ledger: Ledger, chance: random.Random, going: Going) -> None:
        """Kill one every now and then, sometimes two, now and then while another is still starting."""
        while going():
            await asyncio.sleep(chance.uniform(0.1, 1.0))
            if chance.random() < 0.8:
                end = time.monotonic() + 10
                while node.serving() < WORKERS and going() and time.monotonic() < end:
                    await asyncio.sleep(0.05)
            for _ in range(chance.choice((1, 1, 1, 2))):
                if node.kill_worker(chance):
                    ledger.counts["kills"] += 1

    await storm(node, hurt, {"kills": SECONDS / 3, "smtp cut off": 1, "imap cut off": 1})


async def test_the_whole_node_may_die(node: Node) -> None:
    async def hurt(ledger: Ledger, chance: random.Random, going: Going) -> None:
        """Kill all its processes at once, start it anew."""
        while going():
            await asyncio.sleep(chance.uniform(1.0, 3.0))
            await asyncio.to_thread(node.kill)
            ledger.counts["kills"] += 1
            await asyncio.to_thread(node.start)

    await storm(node, hurt, {"kills": SECONDS / 12, "smtp cut off": 1, "imap cut off": 1})


@pytest.fixture
def database_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


async def test_the_database_may_die(database_server: PostgresServer) -> None:
    node = Node(database_server.create_database(), users=ACCOUNTS, workers=WORKERS)
    node.start()

    async def hurt(ledger: Ledger, chance: random.Random, going: Going) -> None:
        """Kill PostgreSQL's processes at once, start it anew after a while."""
        while going():
            await asyncio.sleep(chance.uniform(1.0, 3.0))
            await asyncio.to_thread(database_server.kill)
            ledger.counts["kills"] += 1
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            await asyncio.to_thread(database_server.restart)

    try:
        await storm(node, hurt, {"kills": SECONDS / 12})
        workers = node.workers()
        assert len(workers) == WORKERS
        assert "worker.died" not in node.log
    finally:
        node.stop()
