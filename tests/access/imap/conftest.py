"""A server in memory, and one on each database engine."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import structlog.testing

from everpost.store.migrations import migrate
from everpost.store.open import open_database
from tests.access.imap.world import World, fake_world, real_world


@pytest.fixture(params=["memory", "sqlite"])
async def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[..., World]]:
    """Makes a server, with mail in memory or in a database. (The mailbox's own suite runs on PostgreSQL too.)"""
    if request.param == "memory":
        yield fake_world
        return
    database = await open_database(f"sqlite://{tmp_path}/everpost.db")
    await migrate(database)
    yield lambda **settings: real_world(database, **settings)
    await database.close()


@pytest.fixture(autouse=True, scope="package")
def quiet() -> Iterator[None]:
    """Thousands of sessions log in here."""
    with structlog.testing.capture_logs():
        yield
