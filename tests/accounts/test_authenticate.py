"""Logging in against a real directory."""

import asyncio
import threading

import pytest

from everpost.accounts import passwords
from everpost.accounts.authenticate import Authenticator, AuthSettings, BadExchange, BadLogin
from everpost.accounts.checks import PasswordChecks, TooBusy
from everpost.accounts.directory import Account, Directory
from everpost.accounts.remembered import Proved, Remembered
from everpost.accounts.sasl.client import ScramClient, plain
from everpost.accounts.throttle import MemoryThrottle, ThrottleSettings, TooManyFailures
from everpost.core.address import Address
from everpost.core.ids import AccountId
from everpost.store.feed import Feed
from tests.accounts.conftest import SECRET, World
from tests.accounts.fakes import FakeClock, FakeSleeper

PEER = "192.0.2.9"
ANN = Address.parse("ann@example.test")


async def login(world: World, user: str = "ann@example.test", password: str = SECRET, peer: str = PEER) -> Account:
    return await world.authenticator.login(user, password, peer, "test")


@pytest.mark.parametrize(
    ("user", "address"),
    [
        ("ann@example.test", "Ann@example.test"),
        (" ANN@EXAMPLE.TEST ", "Ann@example.test"),
        ("JÜRGEN@MÜNCHEN.TEST", "jürgen@münchen.test"),
        ("jürgen@xn--mnchen-3ya.test", "jürgen@münchen.test"),
    ],
)
async def test_forms_of_a_user_name(world: World, user: str, address: str) -> None:
    assert str((await login(world, user)).address) == address
    assert world.sleeper.slept == []


@pytest.mark.parametrize(
    "user", ["ann", "", "@", "ann@", "@example.test", "a\0nn@example.test", "ann@\ud800", "x" * 9000]
)
async def test_other_texts_are_nobody(world: World, user: str) -> None:
    with pytest.raises(BadLogin):
        await login(world, user)


async def test_wrong_user_and_wrong_password_cannot_be_told_apart(world: World) -> None:
    world.verify.hashes.clear()
    seen = []
    for user, password in [("ann@example.test", "wrong one"), ("eve@example.test", SECRET), ("eve@else.test", SECRET)]:
        world.sleeper.slept.clear()
        with pytest.raises(BadLogin) as caught:
            await world.authenticator.login(user, password, f"198.51.100.{len(seen)}", "test")
        seen.append((caught.value.text, caught.value.status, tuple(world.sleeper.slept)))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][2] == (1.0,)
    # One slow hash of the same parameters each.
    assert len(world.verify.hashes) == 3
    assert len({text.split("$")[3] for text in world.verify.hashes}) == 1


async def test_one_switched_off_is_answered_alike(world: World) -> None:
    await world.directory.set_active(ANN, False)
    with pytest.raises(BadLogin) as caught:
        await login(world)
    assert caught.value.text == BadLogin().text
    assert world.sleeper.slept == [1.0]


async def test_a_right_password_costs_one_slow_hash_for_minutes(world: World) -> None:
    for _ in range(3):
        await login(world)
    assert len(world.verify.hashes) == 1
    world.clock.advance(301)
    await login(world)
    assert len(world.verify.hashes) == 2


async def test_connections_opened_at_once_share_the_slow_hash(world: World) -> None:
    accounts = await asyncio.gather(*(login(world) for _ in range(8)))
    assert len({account.account_id for account in accounts}) == 1
    assert len(world.verify.hashes) == 1


async def test_one_that_gives_up_does_not_take_the_others_with_it(world: World) -> None:
    tasks = [asyncio.create_task(login(world)) for _ in range(3)]
    while not world.verify.hashes:
        await asyncio.sleep(0.001)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(result, Account) for result in results[1:])


async def test_a_changed_password_counts_at_once(world: World) -> None:
    await login(world)
    await world.directory.set_password(ANN, "another password")
    with pytest.raises(BadLogin):
        await login(world)
    await login(world, password="another password")


async def test_a_change_elsewhere_whose_wakeup_is_lost_counts_in_seconds(world: World) -> None:
    await login(world)
    other = Directory(world.database, Feed(), world.clock)  # Our feed hears nothing of it.
    await other.set_password(ANN, "another password")
    world.clock.advance(6)
    with pytest.raises(BadLogin):
        await login(world)


async def test_app_passwords(world: World) -> None:
    shown = await world.directory.add_app_password(ANN, "phone")
    world.verify.hashes.clear()
    await login(world, password=shown)
    await login(world, password=shown.replace("-", "").upper())
    assert world.verify.hashes == []
    with pytest.raises(BadLogin):
        await login(world, "bob@example.test", shown)
    [line] = [each for each in await world.directory.list_credentials(ANN) if each.kind == "app"]
    await world.directory.remove_app_password(ANN, line.credential_id)
    with pytest.raises(BadLogin):
        await login(world, password=shown)


async def test_an_expired_app_password_is_none(world: World) -> None:
    shown = await world.directory.add_app_password(ANN, "phone")
    expiry = int((world.clock.at + 60) * 1000)
    await world.database.statement("UPDATE credential SET expires_at = $1 WHERE kind = 'app'", expiry)
    # Remembered for longer than it is valid.
    await login(world, password=shown)
    world.clock.advance(61)
    with pytest.raises(BadLogin):
        await login(world, password=shown)


async def test_too_many_failures(world: World) -> None:
    world.authenticator.throttle = MemoryThrottle(world.clock, ThrottleSettings(per_account=2))
    for number in range(2):
        with pytest.raises(BadLogin):
            await login(world, password="wrong one", peer=f"198.51.100.{number}")
    with pytest.raises(TooManyFailures):
        await login(world)
    for user in ("ann@example.test", "nobody@example.test"):
        session = world.authenticator.session("SCRAM-SHA-256", "198.51.100.3", "test", lambda _: None)
        if user.startswith("ann"):
            with pytest.raises(TooManyFailures):
                await session.step(ScramClient(user, SECRET, "n").first())
        else:
            assert isinstance(await session.step(ScramClient(user, SECRET, "n").first()), bytes)
    world.clock.advance(31)
    await login(world)


async def test_a_guess_at_a_remembered_password_is_throttled_too(world: World) -> None:
    world.authenticator.throttle = MemoryThrottle(world.clock, ThrottleSettings(per_address=2))
    await login(world)
    for _ in range(2):
        with pytest.raises(BadLogin):
            await login(world, password="wrong one", peer="198.51.100.1")
    with pytest.raises(TooManyFailures):
        await login(world, peer="198.51.100.1")


async def scram(
    world: World, client: ScramClient, name: str = "SCRAM-SHA-256", binding: bytes | None = None
) -> Account:
    session = world.authenticator.session(
        name, PEER, "test", lambda kind: binding if kind == "tls-server-end-point" else None
    )
    challenge = await session.step(client.first())
    assert isinstance(challenge, bytes)
    final = await session.step(client.final(challenge))
    assert isinstance(final, bytes)
    client.check(final)
    account = await session.step(b"")
    assert isinstance(account, Account)
    return account


async def test_scram(world: World) -> None:
    assert (await scram(world, ScramClient("ann@example.test", SECRET, "n"))).address.local == "Ann"
    bound = ScramClient("ann@example.test", SECRET, "n", binding=("tls-server-end-point", b"data"))
    assert (await scram(world, bound, "SCRAM-SHA-256-PLUS", b"data")).address.local == "Ann"
    with pytest.raises(BadLogin):
        await scram(world, ScramClient("ann@example.test", "wrong one", "n"))
    assert world.sleeper.slept == [1.0]
    assert world.verify.hashes == []


async def test_scram_does_not_tell_who_exists(world: World) -> None:
    async def salt(authenticator: Authenticator, user: str) -> list[bytes]:
        session = authenticator.session("SCRAM-SHA-256", PEER, "test", lambda _: None)
        challenge = await session.step(ScramClient(user, SECRET, "n").first())
        assert isinstance(challenge, bytes)
        return challenge.split(b",")[1:]

    nobody = await salt(world.authenticator, "eve@example.test")
    ann = await salt(world.authenticator, "ann@example.test")
    assert nobody[1] == ann[1] and len(nobody[0]) == len(ann[0])
    assert nobody == await salt(world.authenticator, "EVE@example.test")
    assert nobody != await salt(world.authenticator, "mallory@example.test")
    # The same on another node.
    other = Authenticator(world.directory, world.clock, sleeper=FakeSleeper())
    assert nobody == await salt(other, "eve@example.test")
    other.close()
    with pytest.raises(BadLogin):
        await scram(world, ScramClient("eve@example.test", SECRET, "n"))
    await world.directory.set_active(ANN, False)
    with pytest.raises(BadLogin):
        await scram(world, ScramClient("ann@example.test", SECRET, "n"))


async def test_plain_and_acting_as_others(world: World) -> None:
    def session() -> object:
        return world.authenticator.session("plain", PEER, "test", lambda _: None)

    account = await session().step(plain("ann@example.test", SECRET, "ANN@example.test"))  # type: ignore[attr-defined]
    assert isinstance(account, Account)
    with pytest.raises(BadExchange):
        await session().step(plain("ann@example.test", SECRET, "bob@example.test"))  # type: ignore[attr-defined]
    with pytest.raises(BadExchange):
        await session().step(b"rubbish")  # type: ignore[attr-defined]
    with pytest.raises(BadExchange):
        world.authenticator.session("CRAM-MD5", PEER, "test", lambda _: None)


def test_what_is_offered(world: World) -> None:
    names = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
    assert world.authenticator.mechanisms(True, True) == names
    assert world.authenticator.mechanisms(True, False) == names[1:]
    assert world.authenticator.mechanisms(False, False) == ()
    open_door = Authenticator(world.directory, FakeClock(), settings=AuthSettings(without_tls=True))
    assert open_door.mechanisms(False, True) == names[1:]
    open_door.close()


async def test_the_queue_for_slow_hashes_has_an_end() -> None:
    go = threading.Event()

    def wait(_hash: str, _password: str) -> bool:
        return go.wait(10)

    checks = PasswordChecks(threads=1, max_waiting=2, verify=wait)
    running = [asyncio.create_task(checks.check("", "")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await checks.check("", "")
    # One that went away has not made room.
    running[0].cancel()
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await checks.check("", "")
    go.set()
    assert await asyncio.gather(*running[1:]) == [True, True]
    assert await checks.check("", "")
    checks.close()


def test_what_is_remembered_is_bounded_and_keyed() -> None:
    clock = FakeClock()
    remembered = Remembered(clock, entries=10)
    for number in range(100):
        remembered.put(remembered.digest(f"user{number}", "pw"), Proved(AccountId(number), number))
    assert len(remembered) == 10
    assert remembered.digest("a", "b c") != remembered.digest("a b", "c")
    assert remembered.digest("a", "b") != Remembered(clock).digest("a", "b")


async def test_no_password_reaches_the_log(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for user in ("ann@example.test", "mistyped-pass-word"):
        with pytest.raises(BadLogin):
            await login(world, user, "s3cret-attempt")
    text = capsys.readouterr()
    assert "login.failed" in text.out + text.err
    assert "s3cret" not in text.out + text.err and "mistyped" not in text.out + text.err


async def test_a_saslprepped_password(world: World) -> None:
    await world.directory.set_password(ANN, "pass\N{NO-BREAK SPACE}wörd\N{SOFT HYPHEN}")
    await login(world, password="pass wo\N{COMBINING DIAERESIS}rd")
    assert passwords.prepare("\N{ROMAN NUMERAL NINE}") == "IX"  # RFC 4013 section 3
