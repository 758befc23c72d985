"""Time, waiting and DNS that tests set; nothing here waits for the real clock."""

import asyncio
import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from everpost.core.resolver import Answer, Mx, ResolverFailed


class FakeClock:
    """A clock and a sleeper in one: both stand still until `advance`.

    Implements core.clock.Clock and net.clock.Sleeper.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        """`now` is the unix time to begin with; `monotonic` begins with 0."""
        self._began = now
        self._passed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self.slept: list[float] = []
        """All that was asked of `sleep`, in seconds."""

    def now(self) -> float:
        return self._began + self._passed

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Returns once the clock was moved so far."""
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._order), waiter))
        await waiter

    def advance(self, seconds: float) -> None:
        """Move the time; who slept long enough wakes when the event loop runs next."""
        self._passed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed:
            _, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)

    async def run(self, seconds: float) -> None:
        """Move the time from sleeper to sleeper and let each do what it does then, also who sleeps again."""
        end = self._passed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.advance(self._sleepers[0][0] - self._passed)
            await settle()
        self.advance(end - self._passed)
        await settle()

    @property
    def sleepers(self) -> int:
        """How many wait now."""
        return sum(not waiter.done() for _, _, waiter in self._sleepers)


async def settle(turns: int = 10) -> None:
    """Let everything that can run now run."""
    for _ in range(turns):
        await asyncio.sleep(0)


@dataclass
class FakeSleeper:
    """Does not wait; notes what was asked."""

    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class FakeResolver:
    """Implements core.resolver.Resolver from a dictionary. A name nobody set does not exist.

    `set("a.test", "MX", Mx(10, "mx.a.test"))`, `fail("b.test")`, `hold("c.test")` then `release("c.test")`.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], tuple[object, ...]] = {}
        self._names: set[str] = set()
        self._failing: dict[str, int | None] = {}
        self._held: dict[str, asyncio.Event] = {}
        self.authenticated: set[str] = set()
        """Names whose answers carry AD."""
        self.ttl = 300
        self.asked: list[tuple[str, str]] = []
        """All questions: name and type."""

    def set(self, name: str, kind: str, *records: object) -> None:
        """The answer to `name` and `kind`: Mx values, or texts; none for a name without records of that type."""
        self._records[name.lower(), kind] = records
        self._names.add(name.lower())

    def mail(self, domain: str, exchanges: Iterable[tuple[int, str, str]]) -> None:
        """MX records with addresses: (preference, host name, address)."""
        rows = list(exchanges)
        self.set(domain, "MX", *(Mx(preference, host) for preference, host, _ in rows))
        for _, host, address in rows:
            self.set(host, "AAAA" if ":" in address else "A", address)

    def fail(self, name: str, times: int | None = None) -> None:
        """Raise ResolverFailed for a name, always or the next `times` questions."""
        self._failing[name.lower()] = times

    def hold(self, name: str) -> None:
        """Let questions about a name wait until `release`."""
        self._held[name.lower()] = asyncio.Event()

    def release(self, name: str) -> None:
        """Answer those that wait."""
        self._held.pop(name.lower()).set()

    async def mx(self, name: str) -> Answer[Mx]:
        return await self._answer(name, "MX")  # type: ignore[return-value]

    async def a(self, name: str) -> Answer[str]:
        return await self._answer(name, "A")  # type: ignore[return-value]

    async def aaaa(self, name: str) -> Answer[str]:
        return await self._answer(name, "AAAA")  # type: ignore[return-value]

    async def txt(self, name: str) -> Answer[str]:
        return await self._answer(name, "TXT")  # type: ignore[return-value]

    async def ptr(self, address: str) -> Answer[str]:
        """Set under the address itself: `set("192.0.2.1", "PTR", "mx.a.test")`."""
        return await self._answer(address, "PTR")  # type: ignore[return-value]

    async def _answer(self, name: str, kind: str) -> Answer[object]:
        name = name.lower()
        self.asked.append((name, kind))
        if name in self._held:
            await self._held[name].wait()
        if name in self._failing:
            left = self._failing[name]
            if left is None or left > 0:
                self._failing[name] = None if left is None else left - 1
                raise ResolverFailed("the DNS does not answer for a name")
            del self._failing[name]
        records = self._records.get((name, kind), ())
        exists = name in self._names or any(known.endswith("." + name) for known in self._names)
        return Answer(records, exists, name in self.authenticated, self.ttl)
