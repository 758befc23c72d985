"""A client that waits is told so (RFC 9585)."""

import asyncio

from everpost.mailbox.criteria import Criterion
from tests.access.imap.world import Client, fake_world


async def slow_client(seconds: float) -> Client:
    world = fake_world(progress_interval=0.02)
    await world.fill("INBOX", 2)
    client = await world.client(select="INBOX")
    view = client.session.selected.view  # type: ignore[union-attr]
    search = view.search

    async def slowly(criterion: Criterion) -> list[int]:
        await asyncio.sleep(seconds)
        return await search(criterion)

    view.search = slowly  # type: ignore[method-assign]
    return client


async def test_a_long_search_tells_that_it_goes_on() -> None:
    client = await slow_client(0.2)
    output = await client.send(b"a UID SEARCH ALL\r\n")
    lines = output.split(b"\r\n")
    assert set(lines[:-3]) == {b'* OK [INPROGRESS ("a" NIL NIL)] Still at it'}
    assert lines[-3:] == [b"* SEARCH 1 2", b"a OK SEARCH completed", b""]
    await asyncio.sleep(0.05)
    assert await client.send(b"b NOOP\r\n") == b"b OK NOOP completed\r\n", "nothing is told after the end"


async def test_a_short_one_does_not() -> None:
    client = await slow_client(0)
    assert await client.send(b"a SEARCH ALL\r\n") == b"* SEARCH 1 2\r\na OK SEARCH completed\r\n"
