"""Counting failures."""

import pytest

from everpost.accounts.throttle import MemoryThrottle, ThrottleSettings, TooManyFailures, network_of
from tests.accounts.fakes import FakeClock


async def blocked(throttle: MemoryThrottle, peer: str, login: str) -> bool:
    try:
        await throttle.check(peer, login)
    except TooManyFailures:
        return True
    return False


async def test_answers_are_held_back_longer_and_longer() -> None:
    throttle = MemoryThrottle(FakeClock())
    assert [await throttle.failed("192.0.2.1", "ann") for _ in range(6)] == [1, 2, 4, 8, 8, 8]


async def test_an_address_is_blocked_and_forgiven() -> None:
    clock = FakeClock()
    throttle = MemoryThrottle(clock, ThrottleSettings(per_address=3, forgive=30))
    for number in range(3):
        assert not await blocked(throttle, "192.0.2.1", "zoe")
        await throttle.failed("192.0.2.1", f"user{number}")
    assert await blocked(throttle, "192.0.2.1", "zoe")
    assert not await blocked(throttle, "192.0.2.2", "zoe")
    clock.advance(31)
    assert not await blocked(throttle, "192.0.2.1", "zoe")


async def test_an_account_is_blocked_whatever_the_address() -> None:
    throttle = MemoryThrottle(FakeClock(), ThrottleSettings(per_account=3))
    for number in range(3):
        await throttle.failed(f"192.0.2.{number}", "ann")
    assert await blocked(throttle, "198.51.100.1", "ann")
    assert not await blocked(throttle, "198.51.100.1", "bob")


async def test_an_owner_at_a_known_address_is_not_locked_out() -> None:
    throttle = MemoryThrottle(FakeClock(), ThrottleSettings(per_account=3, per_address=3, per_pair=4))
    await throttle.succeeded("192.0.2.7", "ann")
    for number in range(9):
        await throttle.failed(f"198.51.100.{number}", "ann")
        await throttle.failed("192.0.2.7", "bob")
    assert not await blocked(throttle, "192.0.2.7", "ann")
    for _ in range(4):
        await throttle.failed("192.0.2.7", "ann")
    assert await blocked(throttle, "192.0.2.7", "ann")


async def test_one_known_password_buys_no_guesses_at_others() -> None:
    throttle = MemoryThrottle(FakeClock(), ThrottleSettings(per_address=3))
    for number in range(3):
        await throttle.failed("192.0.2.1", f"user{number}")
        await throttle.succeeded("192.0.2.1", "mallory")
    assert await blocked(throttle, "192.0.2.1", "ann")


async def test_memory_is_bounded() -> None:
    throttle = MemoryThrottle(FakeClock(), ThrottleSettings(entries=50))
    for number in range(500):
        await throttle.failed(f"10.0.{number // 250}.{number % 250}", f"user{number}")
        await throttle.succeeded(f"10.1.{number // 250}.{number % 250}", f"user{number}")
    held = (throttle._addresses, throttle._accounts, throttle._pairs, throttle._trusted)
    assert max(len(each) for each in held) <= 50


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_what_one_client_has_for_itself(peer: str, network: str) -> None:
    assert network_of(peer) == network
