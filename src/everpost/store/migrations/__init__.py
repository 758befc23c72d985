"""The schema, as steps that are each applied once, in order, all in one transaction.

A step is a name and its statements; a statement starting with `postgres:` or `sqlite:` runs on that engine
only. Steps that have landed are never edited: a change is a new step, expand first, contract a release later.
"""

from everpost.store.migrations.directory import STEPS as DIRECTORY
from everpost.store.migrations.mail import STEPS as MAIL
from everpost.store.migrations.queue import STEPS as QUEUE
from everpost.store.ports import Database, Transaction

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (*DIRECTORY, *MAIL, *QUEUE)

# Any constant will do; it is taken by whoever changes the schema.
_LOCK = 7_310_579_412_203_771


async def migrate(database: Database) -> list[str]:
    """Apply what is missing; return the names of the steps applied now.

    Safe when several nodes start at once: the second waits for the first and finds nothing to do.
    """

    async def work(tx: Transaction) -> list[str]:
        if tx.dialect == "postgres":
            await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await tx.execute("CREATE TABLE IF NOT EXISTS schema_step (name $TEXT PRIMARY KEY)")
        done = {row[0] for row in await tx.fetch("SELECT name FROM schema_step")}
        applied = []
        for name, statements in STEPS:
            if name in done:
                continue
            for statement in statements:
                engine, colon, rest = statement.partition(":")
                if colon and engine in {"postgres", "sqlite"}:
                    if engine == tx.dialect:
                        await tx.execute(rest)
                else:
                    await tx.execute(statement)
            await tx.execute("INSERT INTO schema_step (name) VALUES ($1)", name)
            applied.append(name)
        return applied

    return await database.write(work)


async def missing(database: Database) -> list[str]:
    """The names of the steps that are not applied yet. Raises StoreUnavailable."""

    async def work(tx: Transaction) -> list[str]:
        if tx.dialect == "postgres":
            there = await tx.value("SELECT to_regclass('schema_step') IS NOT NULL")
        else:
            there = await tx.value("SELECT 1 FROM sqlite_master WHERE name = 'schema_step'")
        done = {row[0] for row in await tx.fetch("SELECT name FROM schema_step")} if there else set()
        return [name for name, _ in STEPS if name not in done]

    return await database.read(work)
