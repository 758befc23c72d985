"""One running node per engine for all tests of this folder, and a fresh account of it for each test."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.mailing import User
from tests.servers.node import PASSWORD, Node
from tests.servers.postgres import PostgresServer

USERS = 80
WORKERS = 3


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A demo node with several workers; at its end it must not have logged a fault."""
    url = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    started = Node(url, users=USERS, workers=WORKERS)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def users(node: Node) -> Iterator[User]:
    """Accounts nobody has used yet."""
    return (User(node, node.address(number), PASSWORD) for number in itertools.count())


@pytest.fixture
def another(users: Iterator[User]) -> Callable[[], User]:
    """Makes a fresh account per call."""
    return lambda: next(users)


@pytest.fixture
def user(another: Callable[[], User]) -> User:
    """A fresh account."""
    return another()
