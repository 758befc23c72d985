"""What a storage engine must do.

SQL is written once, in the subset that SQLite (3.35 or newer) and PostgreSQL (15 or newer) share, with
`$1` parameters, and these markers that each engine turns into its own words:

- `x IN MANY($2)`: parameter 2 is a list of integers.
- `x IN WORDS($2)`: parameter 2 is a list of strings.
- in schema statements: `$ID` (a generated 64-bit primary key), `$INT` (64-bit), `$BYTES`, `$TEXT`.

Truth values are integers 0 and 1, times are unix milliseconds in `$INT`, bytes are `bytes`, rows are
tuple-like (index them, unpack them). Both engines know ON CONFLICT, RETURNING, CTEs for reading and
window functions.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol, TypeVar

from everpost.core.errors import Broken, TryLater

T = TypeVar("T")

Row = Sequence[Any]
Work = Callable[["Transaction"], Awaitable[T]]


class StoreUnavailable(TryLater):
    """The database cannot be reached now, or cannot say whether a commit happened."""

    default_status = "4.3.0"


class OutcomeUnknown(StoreUnavailable):
    """The connection was lost while committing: the transaction is either wholly there or wholly absent."""


class Conflict(Broken):
    """A uniqueness or reference rule of the schema was violated; the caller tells what that means."""


class Transaction(Protocol):
    """One unit of work: all of it or nothing.

    Code inside awaits nothing but this object's methods: on SQLite it must run to its end without
    suspending, because other units of work share the same commit.
    """

    dialect: Literal["sqlite", "postgres"]

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        """All rows."""
        ...

    async def row(self, sql: str, *args: Any) -> Row | None:
        """The first row, None if there is none."""
        ...

    async def value(self, sql: str, *args: Any) -> Any:
        """The first column of the first row, None if there is no row."""
        ...

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; return how many rows it touched. Raises Conflict."""
        ...

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once per row of arguments. Raises Conflict."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once the transaction is durable; never if it is rolled back."""
        ...


class Database(Protocol):
    """One database: an SQLite file or a PostgreSQL cluster with its own primary."""

    dialect: Literal["sqlite", "postgres"]

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction; return its result once it is durable.

        An exception raised by `work` rolls back and passes through. Serialisation failures and deadlocks
        are retried, so `work` may run more than once and must have no effects besides the database.
        Raises StoreUnavailable, and OutcomeUnknown if the commit may or may not have happened.
        """
        ...

    async def statement(self, sql: str, *args: Any) -> Sequence[Row]:
        """A transaction of one statement: its rows, once it is durable. Raises as `write` does."""
        ...

    async def query(self, sql: str, *args: Any) -> Sequence[Row]:
        """One reading statement. Raises StoreUnavailable."""
        ...

    async def read(self, work: Work[T], *, heavy: bool = False) -> T:
        """Run `work` on one consistent snapshot; it must not write.

        `heavy` promises many rows: the engine then keeps it off the event loop where it would block it.
        Raises StoreUnavailable.
        """
        ...

    async def close(self) -> None:
        """Finish what is running and let go of all connections."""
        ...
