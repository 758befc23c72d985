"""A bounded set of connections, lent one at a time.

Unlike asyncpg's own pool it resets nothing between uses (no session state is ever left behind here), which
saves a round trip per transaction.
"""

import asyncio
from collections import deque

import asyncpg

from everpost.store.ports import StoreUnavailable

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 60.0
WAIT_SECONDS = 30.0

# What says that the server is gone, going, starting, or no longer the primary.
LOST = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What asyncpg says of a connection whose server took leave while it was idle ("cannot switch to state").
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TooManyConnectionsError,
)


class Pool:
    """At most `size` connections to one URL."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._free: deque[asyncpg.Connection] = deque()
        self._slots = asyncio.Semaphore(size)

    async def take(self) -> asyncpg.Connection:
        """A connection, opened if need be. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("all database connections are busy") from error
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        try:
            return await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS,
                command_timeout=COMMAND_SECONDS,
                statement_cache_size=512,
                max_cached_statement_lifetime=0,
                server_settings={"application_name": "everpost", "jit": "off"},
            )
        except BaseException as error:
            self._slots.release()
            if isinstance(error, (*LOST, asyncpg.PostgresError)):
                raise StoreUnavailable("the database cannot be reached") from error
            raise

    def give_back(self, connection: asyncpg.Connection) -> None:
        """Return a connection that is between transactions."""
        if not connection.is_closed():
            self._free.append(connection)
        self._slots.release()

    def throw_away(self, connection: asyncpg.Connection) -> None:
        """Return a connection whose state is not known; it is cut."""
        connection.terminate()
        self._slots.release()

    async def close(self) -> None:
        while self._free:
            connection = self._free.pop()
            try:
                await connection.close(timeout=5)
            except (*LOST, asyncpg.PostgresError):
                connection.terminate()
