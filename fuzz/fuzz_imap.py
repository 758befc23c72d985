"""Any bytes in any cut, to an IMAP session on fakes: run with atheris, `python fuzz/fuzz_imap.py [corpus]`."""

import asyncio
import sys

import atheris

with atheris.instrument_imports(include=["everpost.access.imap"]):
    from tests.access.imap.world import fake_world


async def session(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    world = fake_world(max_faults=1000)
    await world.fill("INBOX", 2)
    client = await world.client(login=provider.ConsumeBool())
    broken: list[str] = []
    client.session.log.exception = lambda event, **words: broken.append(f"{event} {words}")
    while provider.remaining_bytes() and not client.ended:
        output = await client.send(provider.ConsumeBytes(provider.ConsumeIntInRange(1, 200)))
        assert not output or output.endswith(b"\r\n"), "an answer was cut"
        await client.poll()
    await client.close()
    assert not broken, broken
    assert not (await world.mail()).account.views, "a view stayed open"


def test_one(data: bytes) -> None:
    asyncio.run(session(data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
