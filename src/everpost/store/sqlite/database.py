"""The embedded engine: units of work that arrive while a commit is running form the next group.

A group takes the write lock, begins, runs each unit inside a savepoint on the event loop (a few tens of
microseconds each), and commits once in a thread; every caller is released after that commit. So the
price of fsync is shared by all who write at the same time.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from everpost.core.errors import Broken
from everpost.store.ports import Row, StoreUnavailable, Transaction, Work
from everpost.store.sqlite.lock import WriteLock
from everpost.store.sqlite.transaction import SqliteTransaction, run_to_end, translate_error

T = TypeVar("T")

# A group ends after this many units or this much time on the event loop (seconds), whichever is first.
GROUP_UNITS = 256
GROUP_SECONDS = 0.02
# Units of work waiting for a group; more than this are told to come later.
MAX_WAITING = 20_000
# Another program (a backup, sqlite3 at a prompt) may hold SQLite's own lock for a while (milliseconds).
BUSY_MS = 10_000


@dataclass(slots=True)
class _Unit:
    work: Work[Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    calls: Sequence[Callable[[], None]] = ()


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    # A connection is used by the event loop and by the commit thread, never by both at once.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-32768")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


class SqliteDatabase:
    """Implements `ports.Database` for one file. One instance per process and file."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path) -> None:
        """Open or create the file; call from a running event loop."""
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._lock = WriteLock(path.with_name(path.name + ".lock"))
        self._lock.take()
        try:
            self._writer = _connect(path)
        finally:
            self._lock.release()
        self._reader = _connect(path, read_only=True)
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._heavy = ThreadPoolExecutor(2, thread_name_prefix="sqlite-read")
        self._thread = threading.local()
        self._thread_connections: list[sqlite3.Connection] = []
        self._waiting: deque[_Unit] = deque()
        self._running = False
        self._closed = False
        self._quiet: asyncio.Future[None] | None = None

    async def write(self, work: Work[T]) -> T:
        if self._closed:
            raise StoreUnavailable("the database is closed")
        if len(self._waiting) >= MAX_WAITING:
            raise StoreUnavailable("too much is waiting to be written")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Unit(work, future))
        if not self._running:
            self._running = True
            # Not at once: what else arrives in this turn of the loop joins the group.
            self._loop.call_soon(self._start_group)
        return await future

    async def statement(self, sql: str, *args: Any) -> Sequence[Row]:
        async def work(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(sql, *args)

        return await self.write(work)

    async def query(self, sql: str, *args: Any) -> Sequence[Row]:
        if self._closed:
            raise StoreUnavailable("the database is closed")
        return await SqliteTransaction(self._reader).fetch(sql, *args)

    async def read(self, work: Work[T], *, heavy: bool = False) -> T:
        if self._closed:
            raise StoreUnavailable("the database is closed")
        if heavy:
            return await self._loop.run_in_executor(self._heavy, self._read_in_thread, work)
        return self._read_on(self._reader, work)

    async def close(self) -> None:
        self._closed = True
        if self._running:
            self._quiet = self._loop.create_future()
            await self._quiet
        self._committer.shutdown()
        self._heavy.shutdown()
        for connection in (self._writer, self._reader, *self._thread_connections):
            connection.close()
        self._lock.close()

    def _read_in_thread(self, work: Work[T]) -> T:
        connection = getattr(self._thread, "connection", None)
        if connection is None:
            connection = _connect(self._path, read_only=True)
            self._thread.connection = connection
            self._thread_connections.append(connection)
        return self._read_on(connection, work)

    @staticmethod
    def _read_on(connection: sqlite3.Connection, work: Work[T]) -> T:
        try:
            connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise translate_error(error) from error
        try:
            return run_to_end(work, SqliteTransaction(connection))
        finally:
            connection.execute("COMMIT")

    def _start_group(self) -> None:
        """Take the write lock, at once if it is free, else in the thread."""
        if self._lock.try_take():
            self._run_group()
        else:
            taken = self._committer.submit(self._lock.take)
            taken.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._run_group))

    def _run_group(self) -> None:
        """Run waiting units inside one transaction, then commit it in the thread."""
        group: list[_Unit] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            until = time.perf_counter() + GROUP_SECONDS
            while self._waiting and len(group) < GROUP_UNITS:
                unit = self._waiting.popleft()
                if unit.future.cancelled():
                    continue
                group.append(unit)
                self._run_unit(unit)
                if time.perf_counter() > until:
                    break
        except sqlite3.Error as error:
            self._fail(group or self._take_all(), error)
            self._roll_back()
            self._lock.release()
            self._next_group()
            return
        committed = self._committer.submit(self._commit)
        committed.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._end_group, group, done))

    def _run_unit(self, unit: _Unit) -> None:
        """Run one unit inside a savepoint: its failure undoes it alone. Raises sqlite3.Error if that fails."""
        transaction = SqliteTransaction(self._writer)
        self._writer.execute("SAVEPOINT unit")
        try:
            unit.result = run_to_end(unit.work, transaction)
            unit.calls = transaction.calls
        except Exception as error:
            unit.error = error
            self._writer.execute("ROLLBACK TO unit")
        self._writer.execute("RELEASE unit")

    def _commit(self) -> None:
        """In the thread: make the group durable and let the next process in."""
        try:
            self._writer.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        finally:
            self._lock.release()

    def _end_group(self, group: list[_Unit], done: Future[None]) -> None:
        error = done.exception()
        if error is not None:
            self._fail(group, error)
        else:
            for unit in group:
                if unit.error is not None:
                    if not unit.future.cancelled():
                        unit.future.set_exception(unit.error)
                    continue
                for call in unit.calls:
                    call()
                if not unit.future.cancelled():
                    unit.future.set_result(unit.result)
        self._next_group()

    def _next_group(self) -> None:
        if self._waiting:
            self._loop.call_soon(self._start_group)
            return
        self._running = False
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _take_all(self) -> list[_Unit]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    @staticmethod
    def _fail(group: list[_Unit], cause: BaseException) -> None:
        error = translate_error(cause) if isinstance(cause, sqlite3.Error) else Broken("the commit failed")
        error.__cause__ = cause
        for unit in group:
            if not unit.future.done():
                unit.future.set_exception(unit.error or error)
