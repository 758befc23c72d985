import asyncio

import pytest

from everpost.core.resolver import Answer, Mx, ResolverFailed
from everpost.net.clock import RealSleeper
from tests.fakes import FakeClock, FakeResolver, settle


async def test_sleepers_wake_when_the_clock_has_moved_so_far() -> None:
    clock = FakeClock(1000.0)
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    tasks = [asyncio.ensure_future(sleeper(f"{seconds}", seconds)) for seconds in (30, 10, 20, 0)]
    await settle()
    assert woken == ["0"]
    clock.advance(19)
    await settle()
    assert woken == ["0", "10"]
    assert clock.sleepers == 2
    clock.advance(11)
    await asyncio.gather(*tasks)
    assert woken == ["0", "10", "20", "30"]
    assert (clock.now(), clock.monotonic()) == (1030.0, 30.0)


async def test_run_lets_sleepers_sleep_again() -> None:
    clock = FakeClock()
    at: list[float] = []

    async def every_ten() -> None:
        while True:
            await clock.sleep(10)
            at.append(clock.monotonic())

    task = asyncio.ensure_future(every_ten())
    await clock.run(35)
    assert at == [10, 20, 30]
    assert clock.monotonic() == 35
    task.cancel()
    await settle()
    assert clock.sleepers == 0


async def test_the_fake_resolver_answers_fails_and_waits() -> None:
    resolver = FakeResolver()
    resolver.mail("a.test", [(10, "mx.a.test", "192.0.2.1"), (20, "mx6.a.test", "2001:db8::1")])
    assert (await resolver.mx("A.test")).records == (Mx(10, "mx.a.test"), Mx(20, "mx6.a.test"))
    assert (await resolver.aaaa("mx6.a.test")).records == ("2001:db8::1",)
    assert await resolver.txt("a.test") == Answer((), True, False, 300)
    assert (await resolver.txt("test")).exists
    assert not (await resolver.a("nobody.test")).exists
    resolver.fail("a.test", times=1)
    with pytest.raises(ResolverFailed):
        await resolver.mx("a.test")
    assert (await resolver.mx("a.test")).exists
    resolver.hold("a.test")
    waiting = asyncio.ensure_future(resolver.mx("a.test"))
    await settle()
    assert not waiting.done()
    resolver.release("a.test")
    assert (await waiting).exists
    resolver.set("192.0.2.1", "PTR", "mx.a.test")
    assert (await resolver.ptr("192.0.2.1")).records == ("mx.a.test",)


async def test_the_real_sleeper_sleeps() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await RealSleeper().sleep(0.02)
    assert loop.time() - began >= 0.015
