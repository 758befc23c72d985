"""Time that tests set, and waiting that is only noted."""

from dataclasses import dataclass, field


@dataclass
class FakeClock:
    """Stands still until moved."""

    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class FakeSleeper:
    """Does not wait."""

    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
