"""What a session does beside its policy: faults, limits, ends."""

import asyncio

import pytest

from everpost.delivery.intake.door import Memory, SessionLimits
from everpost.store.ports import StoreUnavailable
from tests.delivery.client import Client
from tests.delivery.conftest import House
from tests.delivery.intake.conftest import Doors

MESSAGE = b"From: a@far.test\r\n\r\nbody\r\n"


async def test_our_own_fault_is_temporary_and_the_session_goes_on(
    doors: Doors, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.account("anna@here.test")
    door = doors.mx()
    client = await (await doors.open(door))()
    await client.greet()

    async def broken(*_: object) -> object:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(type(door.policy), "recipient", broken)
        assert (await client.mail("a@far.test", "anna@here.test"))[1].startswith("451 4.3.0")
    assert (await client.say("RCPT TO:<anna@here.test>")).startswith("250")
    with monkeypatch.context() as patch:
        patch.setattr(type(door.policy), "content", broken)
        assert (await client.data(MESSAGE)).startswith("451 4.3.0")
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(MESSAGE)).startswith("250")


async def test_an_absent_store_is_waited_for_then_told(
    doors: Doors, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.account("anna@here.test")
    client = await (await doors.open(doors.mx()))()
    await client.greet()
    calls = 0
    original = type(house.deliverer).deliver_one

    async def sometimes(self: object, *args: object) -> object:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise StoreUnavailable("away")
        return await original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(house.deliverer), "deliver_one", sometimes)
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(MESSAGE)).startswith("250")
    assert calls == 3

    async def never(self: object, *args: object) -> object:
        house.clock.advance(11)
        raise StoreUnavailable("away")

    monkeypatch.setattr(type(house.deliverer), "deliver_one", never)
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(MESSAGE)).startswith("451 4.3.0")
    assert len(await house.mails("anna@here.test")) == 1


async def test_memory_for_messages_is_bounded(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    memory = Memory(limit=100_000)
    client = await (await doors.open(doors.mx(memory=memory)))()
    await client.greet()
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(MESSAGE + b"x" * 70 + b"\r\n" * 60_000)).startswith("452 4.3.1")
    assert memory.used == 0
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(MESSAGE)).startswith("250")
    assert memory.used == 0
    await client.mail("a@far.test", "anna@here.test")
    await client.say("DATA")
    client.write(b"x" * 5000 + b"\r\n")
    await asyncio.sleep(0.05)
    assert memory.used > 0
    client.close()
    async with asyncio.timeout(5):
        while memory.used:
            await asyncio.sleep(0.01)


async def test_silence_ends_a_session(doors: Doors) -> None:
    client = await (await doors.open(doors.mx(limits=SessionLimits(silence=0.1))))()
    await client.greet()
    assert (await client.read()).startswith("421 4.4.2")
    assert await client.read() == ""


async def test_a_message_that_comes_too_slowly_is_given_up(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await (await doors.open(doors.mx()))()
    await client.greet()
    await client.mail("a@far.test", "anna@here.test")
    await client.say("DATA")
    client.write(b"one\r\n")
    await asyncio.sleep(0.05)
    house.clock.advance(1801)
    client.write(b"two\r\n")
    assert (await client.read()).startswith("421 4.4.2")


async def test_a_long_session_takes_no_new_message(doors: Doors, house: House) -> None:
    client = await (await doors.open(doors.mx()))()
    await client.greet()
    house.clock.advance(7201)
    assert (await client.mail("a@far.test"))[0].startswith("421 4.7.0")


async def test_at_a_stop_a_message_on_its_way_is_finished_first(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    door = doors.mx()
    connect = await doors.open(door)
    waiting: Client = await connect()
    sending: Client = await connect()
    await waiting.greet()
    await sending.greet()
    await sending.mail("a@far.test", "anna@here.test")
    assert (await sending.say("DATA")).startswith("354")
    sending.write(MESSAGE)
    await asyncio.sleep(0.05)
    door.close()
    assert (await waiting.read()).startswith("421 4.3.2")
    assert (await sending.say(".")).startswith("250")
    assert (await sending.read()).startswith("421 4.3.2")
    assert len(await house.mails("anna@here.test")) == 1


async def test_any_bytes_leave_the_door_standing(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    connect = await doors.open(doors.mx())
    for noise in (
        b"\x00" * 5000,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xfe\r\n" * 50,
        b"EHLO \r\nMAIL\r\nRCPT TO:<@>\r\nDATA\r\n",
    ):
        client = await connect()
        client.write(noise)
        client.close()
    client = await connect()
    await client.greet()
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(MESSAGE)).startswith("250")
