"""Wake-ups within a process, between workers and between nodes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from everpost.store.feed import DATAGRAM_BYTES, Feed, _datagrams
from everpost.store.open import open_relay
from tests.servers.postgres import PostgresServer


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def test_only_subscribers_of_the_topic_hear() -> None:
    feed = Feed()
    heard: list[int] = []
    subscription = feed.subscribe("account:1", heard.append)
    feed.publish("account:1", 7)
    feed.publish("account:2", 8)
    subscription.close()
    subscription.close()
    feed.publish("account:1", 9)
    assert heard == [7]
    assert not feed._subscriptions


async def test_workers_hear_each_other(tmp_path: Path) -> None:
    one, two = Feed(tmp_path, "w1"), Feed(tmp_path, "w2")
    one.start()
    two.start()
    heard: list[int] = []
    two.subscribe("account:1", heard.append)
    for value in (3, 5, 4):
        one.publish("account:1", value)
    await until(lambda: bool(heard))
    assert heard == [5], "coalesced to the highest"
    two.stop()
    one.publish("account:1", 6)
    await asyncio.sleep(0.01)
    one.stop()
    assert not list(tmp_path.iterdir())


async def test_a_dead_worker_and_noise_hurt_nobody(tmp_path: Path) -> None:
    import socket

    one, two = Feed(tmp_path, "w1"), Feed(tmp_path, "w2")
    one.start()
    two.start()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / "w3.feed"))
    dead.sendto(b"\xff\xfe nonsense\nno number x\n", str(tmp_path / "w2.feed"))
    dead.close()
    heard: list[int] = []
    two.subscribe("queue", heard.append)
    one.publish("queue", 0)
    await until(lambda: bool(heard))
    one.stop()
    two.stop()


def test_many_topics_fit_into_datagrams() -> None:
    changes = {f"account:{n}": n for n in range(5000)}
    datagrams = _datagrams(changes)
    assert all(len(datagram) <= DATAGRAM_BYTES for datagram in datagrams)
    assert sum(datagram.count(b"\n") for datagram in datagrams) == 5000


async def test_nodes_hear_each_other(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    heard: dict[str, list[dict[str, int]]] = {"a": [], "b": [], "c": []}
    relays = {name: open_relay(url, name[0], heard[name].append) for name in heard}
    same = open_relay(url, "a", heard["a"].append)
    assert same is not None
    tasks = [asyncio.create_task(relay.run()) for relay in relays.values() if relay]
    sender = relays["a"]
    assert sender is not None
    many = {f"account:{n}": n for n in range(2000)}

    async def send_until_heard() -> None:
        # The others may not be listening yet: a wake-up may be lost, which is part of the deal.
        while not (heard["b"] and heard["c"]):
            sender.send({"queue": 0})
            await asyncio.sleep(0.05)

    await asyncio.wait_for(send_until_heard(), 10)
    sender.send(many)
    merged: dict[str, int] = {}

    def complete() -> bool:
        for changes in heard["b"]:
            merged.update(changes)
        return merged.keys() >= many.keys()

    await until(complete)
    assert not heard["a"], "a node does not hear itself"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
