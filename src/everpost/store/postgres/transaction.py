"""A unit of work on a PostgreSQL connection."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import asyncpg

from everpost.core.errors import Broken
from everpost.store.ports import Conflict, Row, StoreUnavailable
from everpost.store.postgres.pool import LOST
from everpost.store.postgres.translate import translate

# Nothing is wrong with the work: the same again will do.
AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


def translate_error(error: Exception) -> Exception:
    """The driver's error as one of ours; those of AGAIN stay what they are."""
    if isinstance(error, AGAIN):
        return cast(Exception, error)
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return Conflict("a rule of the database was violated")
    if isinstance(error, (*LOST, asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError)):
        return StoreUnavailable("the database cannot do this now")
    return Broken("the database failed")


class PostgresTransaction:
    """Implements `ports.Transaction` on one connection inside BEGIN and COMMIT."""

    dialect: Literal["sqlite", "postgres"] = "postgres"
    __slots__ = ("_connection", "calls")

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.calls: list[Callable[[], None]] = []

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        try:
            return cast(Sequence[Row], await self._connection.fetch(translate(sql), *args))
        except (*LOST, asyncpg.PostgresError) as error:
            raise translate_error(error) from error

    async def row(self, sql: str, *args: Any) -> Row | None:
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def value(self, sql: str, *args: Any) -> Any:
        rows = await self.fetch(sql, *args)
        return rows[0][0] if rows else None

    async def execute(self, sql: str, *args: Any) -> int:
        try:
            status = await self._connection.execute(translate(sql), *args)
        except (*LOST, asyncpg.PostgresError) as error:
            raise translate_error(error) from error
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            await self._connection.executemany(translate(sql), rows)
        except (*LOST, asyncpg.PostgresError) as error:
            raise translate_error(error) from error

    def after_commit(self, call: Callable[[], None]) -> None:
        self.calls.append(call)
