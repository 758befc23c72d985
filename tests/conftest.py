"""Fixtures every suite may use: the databases, once per engine."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from everpost.store.migrations import migrate
from everpost.store.open import open_database
from everpost.store.ports import Database
from tests.servers.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server for this test run."""
    server = PostgresServer(fsync=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, for each engine."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/everpost.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the whole schema, for each engine."""
    opened = await open_database(database_url)
    await migrate(opened)
    yield opened
    await opened.close()
