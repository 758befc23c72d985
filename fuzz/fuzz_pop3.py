"""Any bytes in any cut, to a POP3 session on fakes: run with atheris, `python fuzz/fuzz_pop3.py [corpus]`."""

import asyncio
import sys

import atheris

with atheris.instrument_imports(include=["everpost.access.pop3"]):
    from tests.access.pop3.fakes import Client, make_door

MESSAGES = {1: b"Subject: x\r\n\r\n.\r\nbody", 2: b"no header end", 3: b"\r\n.", 9: b""}


async def session(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    door = make_door(dict(MESSAGES))
    client = Client(door, tls=provider.ConsumeBool())
    await client.start()
    if provider.ConsumeBool():
        client.connection.tls = "TLS"
        client.session._offer_login()
        await client.say(b"USER ann@example.test\r\nPASS secret word\r\n")
    while provider.remaining_bytes() and not client.session.finished:
        await client.say(provider.ConsumeBytes(provider.ConsumeIntInRange(1, 200)))
    await client.session.closed()
    assert not client.connection.aborted, "an answer was lost"
    assert not door.locks.holders and door.mailboxes.open_views == 0


def test_one(data: bytes) -> None:
    asyncio.run(session(data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
