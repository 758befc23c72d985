"""Time, handed in."""

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time. Tests hand in a fake one."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def milliseconds(seconds: float) -> int:
    """Seconds as whole milliseconds, the unit of every time column."""
    return int(seconds * 1000)
