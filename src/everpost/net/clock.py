"""Waiting, handed in."""

import asyncio
from typing import Protocol


class Sleeper(Protocol):
    """What waits. Tests hand in one that does not."""

    async def sleep(self, seconds: float) -> None: ...


class RealSleeper:
    """The event loop's own time."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
