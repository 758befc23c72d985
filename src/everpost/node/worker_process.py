"""A worker as its supervisor sees it: started, heard when ready, told to reload or to end."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from everpost.core.log import logger
from everpost.node import numbers

log = logger("node")

# After SIGTERM a worker has this long before it is killed (seconds).
STOP_SECONDS = 30.0


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One process; `start` makes it."""

    name: str
    process: asyncio.subprocess.Process
    started_at: float
    """By the event loop's clock."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """It serves."""

    @classmethod
    async def start(cls, name: str, settings: Path, metrics: Path) -> "WorkerProcess":
        """`settings` is the file it reads, `metrics` the folder it counts in. Raises OSError."""
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "everpost.node.worker",
                str(settings),
                name,
                # Its end tells the worker that the supervisor is gone, however that happened.
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(writing,),
                env={**os.environ, "EVERPOST_READY_FD": str(writing), numbers.FOLDER: str(metrics)},
                # Ctrl-C in a terminal is for the supervisor, which tells the workers.
                start_new_session=True,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        loop = asyncio.get_running_loop()
        worker = cls(name, process, loop.time())
        loop.add_reader(reading, worker._hear, reading)
        return worker

    def _hear(self, reading: int) -> None:
        """It says that it is ready, or has died before it was."""
        if os.read(reading, 16):
            self.ready.set()
        asyncio.get_running_loop().remove_reader(reading)
        os.close(reading)

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait(self) -> int:
        """Its exit code, negative for a signal."""
        return await self.process.wait()

    async def wait_ready(self, seconds: float) -> bool:
        """Whether it came to serve, within `seconds`."""
        ended = asyncio.ensure_future(self.process.wait())
        ready = asyncio.ensure_future(self.ready.wait())
        await asyncio.wait({ended, ready}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for future in (ended, ready):
            future.cancel()
        return self.ready.is_set()

    def signal(self, number: signal.Signals) -> None:
        """Nothing happens if it has ended."""
        if self.process.returncode is None:
            self.process.send_signal(number)

    async def end(self, hurry: asyncio.Event) -> None:
        """SIGTERM; SIGKILL when it takes too long, or at once when `hurry` is set."""
        self.signal(signal.SIGTERM)
        ended = asyncio.ensure_future(self.process.wait())
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait({ended, hurried}, timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ended.done():
            log.error("worker.killed", name=self.name, pid=self.pid)
            self.signal(signal.SIGKILL)
        await ended
