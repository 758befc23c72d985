"""A node whose bulky messages lie in an S3-compatible store: SeaweedFS."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from everpost.store.blobs.open import open_blobs
from tests.e2e.mailing import User, a_message, a_subject, deliver, untraced
from tests.servers.node import PASSWORD, Node
from tests.servers.seaweed import SeaweedServer

# Too large for the database's own rows, and nothing that compression makes small.
LARGE = "".join(f"{number * 2654435761 % 2**64:064b}\r\n" for number in range(20_000))


@pytest.fixture(scope="module")
def seaweed() -> Iterator[SeaweedServer]:
    server = SeaweedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bucket(seaweed: SeaweedServer) -> str:
    return seaweed.create_bucket()


@pytest.fixture(scope="module")
def node(bucket: str) -> Iterator[Node]:
    started = Node(users=3, workers=2, settings={"storage": {"blobs": bucket}})
    started.start()
    yield started
    started.stop()


def keys(bucket: str) -> set[str]:
    async def listed() -> set[str]:
        blobs = open_blobs(bucket)
        return {key async for key in blobs.keys()}  # noqa: SIM118 - no dict

    return asyncio.run(listed())


def test_a_large_message_lies_in_the_bucket_until_it_is_deleted(node: Node, bucket: str) -> None:
    user = User(node, node.address(0), PASSWORD)
    before, subject = keys(bucket), a_subject()
    raw = a_message(user.address, subject, text=LARGE)
    deliver(node, user.address, raw)
    (key,) = keys(bucket) - before
    assert untraced(user.raw(subject)) == raw
    with user.pop3() as client:
        assert untraced(b"\r\n".join(client.retr(1)[1]) + b"\r\n") == raw
        client.dele(1)
        client.quit()
    assert key not in keys(bucket)


def test_a_small_message_needs_no_bucket(node: Node, bucket: str) -> None:
    before = keys(bucket)
    deliver(node, node.address(1), a_message("small", a_subject()))
    assert keys(bucket) == before


def test_when_the_store_is_away_for_a_moment_senders_only_wait(node: Node, seaweed: SeaweedServer) -> None:
    user = User(node, node.address(2), PASSWORD)
    large, small = a_subject(), a_subject()
    raw = a_message(user.address, large, text=LARGE)
    seaweed.kill()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(deliver, node, user.address, raw)
        # Small mail goes on.
        deliver(node, user.address, a_message(user.address, small))
        assert user.subjects() == [small]
        assert not waiting.done()
        seaweed.start()
        waiting.result(60)
    assert untraced(user.raw(large)) == raw
