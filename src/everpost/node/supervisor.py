"""`everpost serve`: starts the workers, starts those that die again, passes signals on, ends with the last.

The settings a node runs with lie in its run folder, as the supervisor accepted them: a worker that is started
later gets the same as the others, whatever is in the operator's file by then.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from everpost.core.errors import Broken, EverpostError
from everpost.core.log import logger
from everpost.node import notify, numbers, places
from everpost.node.certificates import certificates_of
from everpost.node.settings.model import Settings
from everpost.node.settings.read import parse
from everpost.node.worker_process import WorkerProcess
from everpost.store.migrations import migrate
from everpost.store.open import open_database
from everpost.store.ports import StoreUnavailable

log = logger("node")

READY_SECONDS = 60.0
# Workers that die before they serve are started more and more slowly (seconds).
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
# At the first start so many failures in a row mean that it is hopeless.
HOPELESS = 3
# Between attempts to reach a database that is away at the start, and to get a port that is still taken (seconds).
AGAIN_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class _Place:
    """Where one worker of the node belongs."""

    number: int
    worker: WorkerProcess | None = None
    generation: int = 0
    closed: bool = False
    """There are to be fewer workers."""

    def next_name(self) -> str:
        self.generation += 1
        return f"w{self.number}.{self.generation}"


@dataclass(slots=True)
class Supervisor:
    """One node."""

    settings: Settings
    path: Path
    """The operator's file."""
    patience: float = 60.0
    """At the start, seconds to wait for ports that a predecessor still holds; the database is awaited forever."""
    _places: list[_Place] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _reload: asyncio.Event = field(default_factory=asyncio.Event)
    _reloaded_at: float = 0.0
    """When workers were last told to read certificates again, by the event loop's clock."""
    _served: bool = False
    """Some worker was ready once."""
    _tasks: asyncio.TaskGroup = field(init=False)

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Run until SIGTERM or SIGINT; `ready` is set when all workers serve.

        Raises Refused if certificate or machine are not as needed, Broken if no worker can be started.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        certificates_of(self.settings)
        folder = self._prepare_folders()
        try:
            self._write_accepted(self.path.read_text())
            if await self._migrate() and await self._check_ports():
                await self._supervise(ready)
        finally:
            folder.close()
        log.info("node.stopped")

    def stop(self) -> None:
        """As SIGTERM does; the second time nobody is waited for."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    # Before the workers.

    def _prepare_folders(self) -> places.RunFolder:
        node = self.settings.node
        node.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        node.run_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        folder = places.RunFolder(node.run_dir)
        # What died with an earlier run: its sockets and its numbers.
        for left in node.run_dir.glob("*.feed"):
            left.unlink(missing_ok=True)
        numbers.prepare(self._metrics)
        return folder

    @property
    def _metrics(self) -> Path:
        return self.settings.node.run_dir / "metrics"

    @property
    def _accepted(self) -> Path:
        return self.settings.node.run_dir / "settings.toml"

    def _write_accepted(self, text: str) -> None:
        new = self._accepted.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(text)
        new.rename(self._accepted)

    async def _migrate(self) -> bool:
        """Bring the schema up to date, whenever the database comes; False if the node stops before."""
        while not self._stopping.is_set():
            try:
                database = await open_database(self.settings.database_url)
                try:
                    steps = await migrate(database)
                finally:
                    await database.close()
            except StoreUnavailable as error:
                log.error("database.awaited", reason=error.text, cause=str(error.__cause__))
                await self._sleep(AGAIN_SECONDS)
                continue
            if steps:
                log.info("schema.migrated", steps=steps)
            return True
        return False

    async def _check_ports(self) -> bool:
        """Whether all ports are free, after some patience; False if the node stops before. Raises Refused."""
        until = time.monotonic() + self.patience
        for _, place in places.listeners(self.settings):
            while True:
                try:
                    places.check_port(place)
                    break
                except places.PortTaken as error:
                    if time.monotonic() > until:
                        raise
                    log.warning("port.awaited", port=str(place), reason=error.text)
                    await self._sleep(AGAIN_SECONDS)
                    if self._stopping.is_set():
                        return False
        return not self._stopping.is_set()

    # The workers.

    async def _supervise(self, ready: asyncio.Event | None) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._resize()
                self._tasks.create_task(self._announce(ready))
                self._tasks.create_task(self._watch_reloads())
        except* Broken as group:
            raise group.exceptions[0] from None

    def _resize(self) -> None:
        """As many places as the settings want."""
        count = self.settings.node.workers or len(os.sched_getaffinity(0))
        while len(self._places) < count:
            place = _Place(len(self._places) + 1)
            self._places.append(place)
            self._tasks.create_task(self._fill(place))
        while len(self._places) > count:
            place = self._places.pop()
            place.closed = True
            if place.worker is not None:
                self._tasks.create_task(place.worker.end(self._hurry))

    async def _fill(self, place: _Place) -> None:
        """Have a worker in a place, always, until the node stops or the place is given up."""
        failures = 0
        while True:
            worker = place.worker
            if worker is None:
                if self._stopping.is_set() or place.closed:
                    return
                worker = place.worker = await self._start(place)
            code = await self._wait(worker)
            self._bury(worker)
            if place.worker is not worker:
                continue  # It was replaced.
            place.worker = None
            if self._stopping.is_set() or place.closed:
                return
            # A worker that served is missed: its successor starts at once.
            failures = 0 if worker.ready.is_set() else failures + 1
            log.error("worker.died", name=worker.name, pid=worker.pid, code=code, served=worker.ready.is_set())
            if failures >= HOPELESS and not self._served:
                self._stopping.set()
                raise Broken("the workers cannot be started; the log says why")
            if failures:
                await self._sleep(min(FIRST_PAUSE * 2.0 ** (failures - 1), LONGEST_PAUSE))

    async def _start(self, place: _Place) -> WorkerProcess:
        worker = await WorkerProcess.start(place.next_name(), self._accepted, self._metrics)
        self._tasks.create_task(self._note_ready(worker))
        return worker

    async def _note_ready(self, worker: WorkerProcess) -> None:
        if await worker.wait_ready(READY_SECONDS):
            self._served = True
            if self._reloaded_at > worker.started_at:
                # It may have read them too early, and could not be told before.
                worker.signal(signal.SIGHUP)

    def _bury(self, worker: WorkerProcess) -> None:
        numbers.bury(self._metrics, worker.pid)
        (self.settings.node.run_dir / f"{worker.name}.feed").unlink(missing_ok=True)

    async def _wait(self, worker: WorkerProcess) -> int:
        """Until the worker ends; it is told to when the node stops."""
        ended = asyncio.ensure_future(worker.wait())
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not ended.done():
            await worker.end(self._hurry)
        return await ended

    async def _announce(self, ready: asyncio.Event | None) -> None:
        while not all(place.worker is not None and place.worker.ready.is_set() for place in self._places):
            if self._stopping.is_set():
                return
            await asyncio.sleep(0.02)
        log.info("node.ready", workers=len(self._places))
        notify.tell("READY=1")
        if ready is not None:
            ready.set()
        await self._stopping.wait()
        log.info("node.stopping")
        notify.tell("STOPPING=1")

    # SIGHUP.

    async def _watch_reloads(self) -> None:
        stop = asyncio.ensure_future(self._stopping.wait())
        while not self._stopping.is_set():
            asked = asyncio.ensure_future(self._reload.wait())
            await asyncio.wait({asked, stop}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if self._stopping.is_set():
                return
            self._reload.clear()
            notify.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                await self._take_over()
            except (EverpostError, OSError) as error:
                log.error("settings.refused", reason=str(error))
            notify.tell("READY=1")

    async def _take_over(self) -> None:
        """Certificates are read again by the workers there are; other settings need new workers, one by one.

        Raises BadSettings, Refused; then all stays as it was.
        """
        text = await asyncio.to_thread(self.path.read_text)
        settings = parse(text, str(self.path))
        if settings == self.settings:
            self._reloaded_at = asyncio.get_running_loop().time()
            for place in self._places:
                if place.worker is not None and place.worker.ready.is_set():
                    place.worker.signal(signal.SIGHUP)
            return
        before = self.settings
        if (settings.node.run_dir, settings.node.user) != (before.node.run_dir, before.node.user):
            raise Broken("node.run_dir and node.user cannot change while the node runs; restart it")
        certificates_of(settings)
        text_before = await asyncio.to_thread(self._accepted.read_text)
        self._write_accepted(text)
        for place in list(self._places):
            if not await self._replace(place):
                self._write_accepted(text_before)
                raise Broken("a worker with the new settings did not start; the others go on with the old ones")
        self.settings = settings
        self._resize()
        log.info("settings.taken")

    async def _replace(self, place: _Place) -> bool:
        """Put a new worker in a place; the old one ends when the new one serves. False if it never does."""
        worker = await self._start(place)
        if not await worker.wait_ready(READY_SECONDS):
            await worker.end(self._hurry)
            self._bury(worker)
            return False
        old, place.worker = place.worker, worker
        if old is not None:
            await old.end(self._hurry)
        return True

    async def _sleep(self, seconds: float) -> None:
        """Shorter if the node stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
