"""`everpost serve`: starts the workers, starts those that die again, passes signals on, ends with the last."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import multiprocess

from everpost.core.errors import Broken
from everpost.core.log import logger
from everpost.node.settings.model import Settings
from everpost.store.migrations import migrate
from everpost.store.open import open_database

log = logger("node")

READY_SECONDS = 60.0
# After SIGTERM a worker has this long before it is killed (seconds).
STOP_SECONDS = 30.0
# A worker that dies again and again is started more and more slowly (seconds).
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
# Whoever lived this long is forgiven its predecessors (seconds).
STEADY_SECONDS = 60.0


@dataclass(slots=True)
class Supervisor:
    """One node."""

    settings: Settings
    path: Path
    """The settings file, which workers read themselves."""
    _processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _ready: set[str] = field(default_factory=set)

    async def run(self, ready: "asyncio.Event | None" = None) -> None:
        """Run until SIGTERM or SIGINT. Raises Broken if a worker cannot be started at all."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        self._prepare_folders()
        await self._migrate()
        count = self.settings.node.workers or os.cpu_count() or 1
        try:
            async with asyncio.TaskGroup() as tasks:
                for place in range(1, count + 1):
                    tasks.create_task(self._keep_running(f"w{place}"))
                tasks.create_task(self._announce(count, ready))
        except* Broken as group:
            raise group.exceptions[0] from None

    def stop(self) -> None:
        """As SIGTERM does."""
        self._stopping.set()

    def _prepare_folders(self) -> None:
        node = self.settings.node
        node.data_dir.mkdir(parents=True, exist_ok=True)
        node.run_dir.mkdir(parents=True, exist_ok=True)
        # What died with an earlier run: its sockets and its numbers.
        for left in node.run_dir.glob("*.feed"):
            left.unlink(missing_ok=True)
        shutil.rmtree(node.run_dir / "metrics", ignore_errors=True)
        (node.run_dir / "metrics").mkdir()

    async def _migrate(self) -> None:
        database = await open_database(self.settings.database_url)
        try:
            steps = await migrate(database)
        finally:
            await database.close()
        if steps:
            log.info("schema.migrated", steps=steps)

    async def _announce(self, count: int, ready: "asyncio.Event | None") -> None:
        while len(self._ready) < count:
            if self._stopping.is_set():
                return
            await asyncio.sleep(0.02)
        log.info("node.ready", workers=count)
        _notify("READY=1")
        if ready is not None:
            ready.set()
        await self._stopping.wait()
        _notify("STOPPING=1")

    async def _keep_running(self, name: str) -> None:
        """One worker's place: filled until the end."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            started = loop.time()
            process = await self._start(name)
            code = await self._wait(process)
            self._ready.discard(name)
            folder = str(self.settings.node.run_dir / "metrics")
            multiprocess.mark_process_dead(process.pid, folder)  # type: ignore[no-untyped-call]
            if self._stopping.is_set():
                return
            lived = loop.time() - started
            log.error("worker.died", name=name, pid=process.pid, code=code, seconds=round(lived, 1))
            pause = FIRST_PAUSE if lived > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE)
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _start(self, name: str) -> asyncio.subprocess.Process:
        reading, writing = os.pipe()
        environment = {
            **os.environ,
            "EVERPOST_READY_FD": str(writing),
            "PROMETHEUS_MULTIPROC_DIR": str(self.settings.node.run_dir / "metrics"),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "everpost.node.worker",
            str(self.path),
            name,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(writing,),
            env=environment,
            # Ctrl-C in a terminal is for the supervisor, which tells the workers.
            start_new_session=True,
        )
        os.close(writing)
        self._processes[name] = process
        asyncio.get_running_loop().add_reader(reading, self._hear, name, reading)
        return process

    def _hear(self, name: str, reading: int) -> None:
        """The worker says that it is ready, or has died before."""
        if os.read(reading, 16):
            self._ready.add(name)
        asyncio.get_running_loop().remove_reader(reading)
        os.close(reading)

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        """Until the worker ends; told to when the node stops, killed if it does not obey."""
        ended = asyncio.ensure_future(process.wait())
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.terminate()
            _, late = await asyncio.wait({ended}, timeout=STOP_SECONDS)
            if late:
                log.error("worker.killed", pid=process.pid)
                process.kill()
        stop.cancel()
        return await ended

    def _pass_on(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)


def _notify(state: str) -> None:
    """Tell systemd (sd_notify), if it asked."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + path[1:] if path.startswith("@") else path)
        sock.sendall(state.encode())
