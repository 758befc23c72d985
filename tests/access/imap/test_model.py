"""Several sessions do anything in any order; a client that believes what it is told never disagrees with the server."""

import re
import tempfile
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everpost.store.migrations import migrate
from everpost.store.open import open_database
from tests.access.imap.model import ModelClient
from tests.access.imap.world import World, fake_world, real_world

FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "work")

numbers = st.lists(st.integers(0, 4), min_size=1, max_size=4)
flags = st.lists(st.sampled_from(FLAGS), max_size=3, unique=True)
stores = st.tuples(
    st.just("store"), numbers, st.sampled_from(["", "+", "-"]), flags, st.booleans(), st.booleans(), st.booleans()
)
actions = st.one_of(
    stores,
    stores,
    st.tuples(st.just("delete"), numbers),
    st.tuples(st.just("append"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["copy", "move", "uid move", "fetch", "uid fetch", "body", "envelope"]), numbers),
    st.tuples(st.sampled_from(["noop", "search", "uid search", "expunge", "uid expunge", "idle", "select", "status"])),
)
stories = st.lists(st.tuples(st.integers(0, 3), actions), min_size=15, max_size=40)


async def act(world: World, client: ModelClient, action: tuple[Any, ...]) -> None:
    name, *words = action
    if name != "idle":
        await client.done()
    match name:
        case "store":
            places, op, names, silent, uid, old = words
            await client.store(places, op, names, silent=silent, uid=uid, old=old)
        case "delete":
            await client.store(words[0], "+", ["\\Deleted"], silent=True, uid=False, old=False)
            await client.command("EXPUNGE")
        case "append":
            await world.fill("INBOX", words[0])
        case "idle":
            await client.done()
            await client.idle()
        case "select":
            await client.select()
        case "noop":
            await client.command("NOOP")
        case "status":
            await client.command("STATUS INBOX (MESSAGES)")
        case "search" | "uid search":
            await client.command(f"{name} UNSEEN", expunges=name.startswith("uid"))
        case "expunge":
            await client.command("EXPUNGE")
        case "uid expunge":
            await client.command("UID EXPUNGE 1:*")
        case _:
            places = sorted({place for number in words[0] if (place := client.place(number))})
            if places:
                await _on_messages(client, name, places)
    if not client.idling:
        await client.learn()


async def _on_messages(client: ModelClient, name: str, places: list[int]) -> None:
    given = ",".join(str(client.messages[place - 1].uid if name.startswith("uid") else place) for place in places)
    match name:
        case "copy":
            await client.command(f"COPY {given} INBOX")
        case "move" | "uid move":
            await client.command(f"{name} {given} Trash")
        case "fetch" | "uid fetch":
            await client.command(f"{name} {given} FLAGS", expunges=name.startswith("uid"))
        case "body":
            await client.command(f"FETCH {given} BODY[]", expunges=False)
        case "envelope":
            await client.command(f"FETCH {given} (UID ENVELOPE)", expunges=False)


async def truth(world: World) -> list[tuple[int, frozenset[str]]]:
    """What a session that comes now is told."""
    client = await world.client()
    await client.select(command="EXAMINE")
    output = await client.send(b"x FETCH 1:* (UID FLAGS)\r\n")
    await client.close()
    found = re.findall(rb"FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)", output)
    return [(int(uid), frozenset(names.decode().split()) - {"\\Recent"}) for uid, names in found]


async def run_watching(world: World, story: list[tuple[int, tuple[Any, ...]]]) -> None:
    """One client watches results by UID; what it has at the end is what it finds when it asks again."""
    await world.fill("INBOX", 3)
    clients = []
    for condstore in (False, True):
        model = ModelClient(await world.client(), condstore=condstore, rev2=False)
        await model.select()
        clients.append(model)
    watcher, other = clients
    wanted = [
        "SEARCH RETURN ({}) UNSEEN",
        "SEARCH RETURN ({}) OR SEEN SUBJECT 2",
        "SORT RETURN ({}) (REVERSE SUBJECT) UTF-8 UNDELETED",
        "SORT RETURN ({}) (REVERSE ARRIVAL SIZE) UTF-8 NOT KEYWORD work",
    ]
    tags = [await watcher.watch("UID " + text.format("UPDATE ALL")) for text in wanted]
    for who, action in story:
        if action[0] != "select":
            await act(world, clients[who % 2], action)
        if watcher.idling:
            await watcher.hear()
    await watcher.done()
    await watcher.command("NOOP")
    for tag, text in zip(tags, wanted, strict=True):
        again = watcher.results[await watcher.watch("UID " + text.format("ALL"))]
        kept = watcher.results[tag]
        assert (kept if text.startswith("SORT") else sorted(kept)) == again
    await other.done()
    await world.close()


async def run(world: World, story: list[tuple[int, tuple[Any, ...]]]) -> None:
    await world.fill("INBOX", 3)
    clients = []
    for condstore, rev2, qresync in (
        (False, False, False),
        (True, False, False),
        (True, True, False),
        (True, False, True),
    ):
        model = ModelClient(await world.client(), condstore=condstore, rev2=rev2, qresync=qresync)
        await model.select()
        clients.append(model)
    for who, action in story:
        await act(world, clients[who], action)
        for client in clients:
            if client.idling:
                await client.hear()
    for client in clients:
        await client.done()
        await client.command("NOOP")
        await client.learn()
    expected = await truth(world)
    for client in clients:
        assert client.known() == expected
    await world.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
async def test_clients_agree_with_the_server_in_memory(story: list[tuple[int, tuple[Any, ...]]]) -> None:
    await run(fake_world(), story)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
async def test_results_that_are_kept_up_to_date(story: list[tuple[int, tuple[Any, ...]]]) -> None:
    await run_watching(fake_world(), story)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
async def test_clients_agree_with_the_server_on_sqlite(story: list[tuple[int, tuple[Any, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = await open_database(f"sqlite://{folder}/everpost.db")
        try:
            await migrate(database)
            await run(real_world(database), story)
        finally:
            await database.close()
