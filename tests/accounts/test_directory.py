"""What the directory answers, and that changes are seen at once."""

import pytest

from everpost.accounts.administration import Taken, Unknown
from everpost.accounts.values import Target
from everpost.core.address import Address
from everpost.core.errors import Refused
from tests.accounts.conftest import World

ANN = Address.parse("ann@example.test")
BOB = Address.parse("bob@example.test")


def address(text: str) -> Address:
    return Address.parse(text)


async def targets(world: World, text: str) -> list[Target] | None:
    entry = await world.directory.lookup(address(text))
    return None if entry is None else list(entry.targets)


async def test_lookup(world: World) -> None:
    ann, jürgen = await world.who("ann@example.test"), await world.who("jürgen@münchen.test")
    assert await targets(world, "ANN@Example.Test") == [Target(ann.account_id, None)]
    assert await targets(world, "JÜRGEN@xn--mnchen-3ya.test") == [Target(jürgen.account_id, None)]
    assert await targets(world, "ann+tag@example.test") is None
    assert await targets(world, "eve@example.test") is None
    assert await targets(world, "ann@else.test") is None


async def test_a_change_is_seen_at_once(world: World) -> None:
    assert await targets(world, "sales@example.test") is None
    elsewhere = address("x@else.test")
    await world.directory.add_address(address("sales@example.test"), [ANN, elsewhere])
    ann = await world.who("ann@example.test")
    assert await targets(world, "sales@example.test") == [Target(ann.account_id, None), Target(None, "x@else.test")]
    await world.directory.remove_address(address("sales@example.test"))
    assert await targets(world, "sales@example.test") is None


async def test_answers_come_from_memory(world: World) -> None:
    await targets(world, "ann@example.test")
    await world.database.statement("DELETE FROM target")
    assert await targets(world, "ann@example.test") is not None
    world.clock.advance(6)
    assert await targets(world, "ann@example.test") is None


@pytest.mark.parametrize("local", ["postmaster", "abuse", "Postmaster"])
async def test_somebody_always_answers_for_a_domain(world: World, local: str) -> None:
    ann, jürgen = await world.who("ann@example.test"), await world.who("jürgen@münchen.test")
    assert await targets(world, f"{local}@example.test") == [Target(ann.account_id, None)]
    assert await targets(world, f"{local}@münchen.test") == [Target(jürgen.account_id, None)]
    await world.directory.add_domain("empty.test")
    assert await targets(world, f"{local}@empty.test") == [Target(ann.account_id, None)]
    await world.directory.set_active(ANN, False)
    assert await targets(world, f"{local}@example.test") == [
        Target((await world.who("bob@example.test")).account_id, None)
    ]
    await world.directory.set_postmaster("example.test", address("duty@else.test"))
    assert await targets(world, f"{local}@example.test") == [Target(None, "duty@else.test")]
    await world.directory.add_address(address(f"{local}@example.test"), [BOB])
    assert await targets(world, f"{local}@example.test") == [
        Target((await world.who("bob@example.test")).account_id, None)
    ]


async def test_catch_all(world: World) -> None:
    await world.directory.set_catch_all("example.test", [BOB])
    domain = await world.directory.domain("example.test")
    assert domain is not None
    assert domain.catch_all == (Target((await world.who("bob@example.test")).account_id, None),)
    await world.directory.set_catch_all("example.test", [])
    domain = await world.directory.domain("example.test")
    assert domain is not None and domain.catch_all == ()


async def test_who_may_send_as_whom(world: World) -> None:
    ann = (await world.who("ann@example.test")).account_id
    await world.directory.add_address(address("sales@example.test"), [ANN])
    await world.directory.add_address(address("info@example.test"), [address("sales@example.test")])
    await world.directory.add_address(address("a@example.test"), [address("b@example.test")])
    await world.directory.add_address(address("b@example.test"), [address("a@example.test")])
    for text in ("ann@example.test", "ann+x@EXAMPLE.test", "sales@example.test", "info@example.test"):
        assert await world.directory.may_send_as(ann, address(text)), text
    for text in ("bob@example.test", "a@example.test", "ann@else.test", "eve@example.test"):
        assert not await world.directory.may_send_as(ann, address(text)), text


async def test_accounts_come_and_go(world: World) -> None:
    ann = (await world.who("ann@example.test")).account_id
    await world.directory.add_address(address("sales@example.test"), [ANN])
    await world.directory.add_address(address("all@example.test"), [ANN, BOB])
    with pytest.raises(Refused):
        await world.directory.remove_address(ANN)
    with pytest.raises(Refused):
        await world.directory.remove_domain("example.test")
    assert await world.directory.remove_account(ANN) == ann
    assert await world.directory.account(ann) is None
    assert await targets(world, "ann@example.test") is None
    assert await targets(world, "sales@example.test") is None
    assert len(await targets(world, "all@example.test") or []) == 1
    with pytest.raises(Unknown):
        await world.directory.remove_account(ANN)
    new = await world.directory.add_account(ANN, "another password")
    assert new != ann, "mail is kept by account id: none may come back"
    with pytest.raises(Taken):
        await world.directory.add_account(ANN, "another password")
