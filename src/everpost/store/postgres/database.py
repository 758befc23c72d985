"""The cluster engine: units of work on lent connections, repeated where PostgreSQL asks for it."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Literal, Self, TypeVar, cast

import asyncpg

from everpost.core.errors import Broken
from everpost.store.ports import Conflict, OutcomeUnknown, Row, StoreUnavailable, Work
from everpost.store.postgres.pool import LOST, Pool
from everpost.store.postgres.transaction import AGAIN, PostgresTransaction, translate_error
from everpost.store.postgres.translate import translate

T = TypeVar("T")

ATTEMPTS = 8
POOL_SIZE = 10


class PostgresDatabase:
    """Implements `ports.Database` for one PostgreSQL database."""

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str, pool_size: int = POOL_SIZE, chance: random.Random | None = None) -> None:
        self.url = url
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._pool = Pool(url, pool_size)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect once, to know that it works. Raises StoreUnavailable."""
        database = cls(url)
        connection = await database._pool.take()
        database._pool.give_back(connection)
        return database

    async def write(self, work: Work[T]) -> T:
        for attempt in range(ATTEMPTS):
            try:
                return await self._write_once(work)
            except AGAIN:
                if attempt == ATTEMPTS - 1:
                    break
                await self._pause(attempt)
        raise StoreUnavailable("too many writers at the same data")

    async def _pause(self, attempt: int) -> None:
        """Before trying again: longer each time, and not in step with the others."""
        await asyncio.sleep(0.005 * 2**attempt * self._chance.uniform(0.5, 1.5))

    async def _write_once(self, work: Work[T]) -> T:
        connection = await self._pool.take()
        clean = False
        try:
            await self._command(connection, "BEGIN")
            transaction = PostgresTransaction(connection)
            try:
                result = await work(transaction)
            except BaseException:
                # Also on cancellation: the connection is cut below unless this succeeds.
                if not connection.is_closed():
                    await self._command(connection, "ROLLBACK")
                    clean = True
                raise
            try:
                await connection.execute("COMMIT")
            except AGAIN:
                clean = True
                raise
            except asyncpg.IntegrityConstraintViolationError as error:
                clean = True
                raise Conflict("a rule of the database was violated") from error
            except (*LOST, asyncpg.PostgresError) as error:
                raise OutcomeUnknown("the database did not confirm") from error
            clean = True
        finally:
            if clean:
                self._pool.give_back(connection)
            else:
                self._pool.throw_away(connection)
        for call in transaction.calls:
            call()
        return result

    @staticmethod
    async def _command(connection: asyncpg.Connection, sql: str) -> None:
        try:
            await connection.execute(sql)
        except (*LOST, asyncpg.PostgresError) as error:
            raise StoreUnavailable("the database cannot be reached") from error

    async def statement(self, sql: str, *args: Any) -> Sequence[Row]:
        for attempt in range(ATTEMPTS):
            connection = await self._pool.take()
            clean = True
            try:
                return cast(Sequence[Row], await connection.fetch(translate(sql), *args))
            except AGAIN:
                await self._pause(attempt)
            except LOST as error:
                clean = False
                raise OutcomeUnknown("the database did not confirm") from error
            except asyncpg.PostgresError as error:
                raise translate_error(error) from error
            except BaseException:
                clean = False
                raise
            finally:
                if clean:
                    self._pool.give_back(connection)
                else:
                    self._pool.throw_away(connection)
        raise StoreUnavailable("too many writers at the same data")

    async def query(self, sql: str, *args: Any) -> Sequence[Row]:
        connection = await self._pool.take()
        clean = False
        try:
            rows = await PostgresTransaction(connection).fetch(sql, *args)
            clean = True
        except Broken:
            clean = True
            raise
        finally:
            if clean:
                self._pool.give_back(connection)
            else:
                self._pool.throw_away(connection)
        return rows

    async def read(self, work: Work[T], *, heavy: bool = False) -> T:
        connection = await self._pool.take()
        clean = False
        try:
            await self._command(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                result = await work(PostgresTransaction(connection))
            finally:
                if not connection.is_closed():
                    await self._command(connection, "COMMIT")
                    clean = True
        finally:
            if clean:
                self._pool.give_back(connection)
            else:
                self._pool.throw_away(connection)
        return result

    async def close(self) -> None:
        await self._pool.close()
