"""A unit of work on an SQLite connection: every method runs at once, none ever suspends."""

import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, TypeVar, cast

import msgspec

from everpost.core.errors import Broken
from everpost.store.ports import Conflict, Row, StoreUnavailable, Work
from everpost.store.sqlite.translate import translate

T = TypeVar("T")


def translate_error(error: sqlite3.Error) -> Exception:
    """The driver's error as one of ours."""
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict("a rule of the database was violated")
    if isinstance(error, sqlite3.OperationalError):
        # Locked, disk full, I/O error; a mistake in SQL comes here too and shows in the cause.
        return StoreUnavailable("the database cannot do this now")
    return Broken("the database failed")


def _bind(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Lists become JSON text (see `translate`)."""
    for arg in args:
        if isinstance(arg, list | tuple):
            return tuple(msgspec.json.encode(arg).decode() if isinstance(arg, list | tuple) else arg for arg in args)
    return args


class SqliteTransaction:
    """Implements `ports.Transaction` on one connection."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"
    __slots__ = ("_connection", "calls")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.calls: list[Callable[[], None]] = []

    def _run(self, sql: str, args: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(translate(sql), _bind(args))
        except sqlite3.Error as error:
            raise translate_error(error) from error

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        return self._run(sql, args).fetchall()

    async def row(self, sql: str, *args: Any) -> Row | None:
        # All rows are read: a statement left half-way would keep RETURNING from finishing.
        rows = self._run(sql, args).fetchall()
        return cast(Row, rows[0]) if rows else None

    async def value(self, sql: str, *args: Any) -> Any:
        rows = self._run(sql, args).fetchall()
        return rows[0][0] if rows else None

    async def execute(self, sql: str, *args: Any) -> int:
        cursor = self._run(sql, args)
        rows = cursor.fetchall()
        return len(rows) if cursor.description else cursor.rowcount

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._connection.executemany(translate(sql), [_bind(tuple(row)) for row in rows])
        except sqlite3.Error as error:
            raise translate_error(error) from error

    def after_commit(self, call: Callable[[], None]) -> None:
        self.calls.append(call)


def run_to_end(work: Work[T], transaction: SqliteTransaction) -> T:
    """Drive a unit of work that must not suspend. Raises what it raises, Broken if it suspends."""
    coroutine = cast(Coroutine[Any, Any, T], work(transaction))
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    coroutine.close()
    raise Broken("a unit of work waited for something else than its transaction")
