"""What every engine must do: `store.ports.Database`."""

import asyncio

import pytest

from everpost.core.errors import Broken, Refused
from everpost.store.migrations import STEPS, migrate, missing
from everpost.store.open import open_database
from everpost.store.ports import Conflict, Database, StoreUnavailable, Transaction


@pytest.fixture
async def numbers(database: Database) -> Database:
    async def work(tx: Transaction) -> None:
        await tx.execute("CREATE TABLE number (n $INT PRIMARY KEY, word $TEXT, data $BYTES)")

    await database.write(work)
    return database


async def add(database: Database, n: int, word: str = "", data: bytes = b"") -> None:
    await database.statement("INSERT INTO number (n, word, data) VALUES ($1, $2, $3)", n, word, data)


async def all_numbers(database: Database) -> list[int]:
    return [row[0] for row in await database.query("SELECT n FROM number ORDER BY n")]


async def test_values_come_back_as_they_went_in(numbers: Database) -> None:
    await add(numbers, 2**62, "Grüße \N{SNOWMAN}", bytes(range(256)))
    rows = await numbers.query("SELECT n, word, data FROM number")
    assert tuple(rows[0]) == (2**62, "Grüße \N{SNOWMAN}", bytes(range(256)))


async def test_a_failed_unit_leaves_nothing(numbers: Database) -> None:
    async def work(tx: Transaction) -> None:
        await tx.execute("INSERT INTO number (n) VALUES (1)")
        raise Refused("no")

    with pytest.raises(Refused):
        await numbers.write(work)
    assert await all_numbers(numbers) == []


async def test_a_failed_unit_leaves_its_neighbours(numbers: Database) -> None:
    async def unit(n: int) -> None:
        async def work(tx: Transaction) -> int:
            await tx.execute("INSERT INTO number (n) VALUES ($1)", n)
            if n % 3 == 0:
                raise Refused("no threes")
            return n

        await numbers.write(work)

    results = await asyncio.gather(*(unit(n) for n in range(60)), return_exceptions=True)
    assert sum(isinstance(result, Refused) for result in results) == 20
    assert await all_numbers(numbers) == [n for n in range(60) if n % 3]


async def test_breaking_a_rule_is_a_conflict(numbers: Database) -> None:
    await add(numbers, 1)
    with pytest.raises(Conflict):
        await add(numbers, 1)

    async def work(tx: Transaction) -> None:
        await tx.many("INSERT INTO number (n) VALUES ($1)", [(5,), (1,)])

    with pytest.raises(Conflict):
        await numbers.write(work)
    assert await all_numbers(numbers) == [1]


async def test_a_mistake_in_sql_is_ours(numbers: Database) -> None:
    with pytest.raises((Broken, StoreUnavailable)):
        await numbers.statement("INSERT INTO nowhere VALUES (1)")
    await add(numbers, 3)
    assert await all_numbers(numbers) == [3]


async def test_lists_as_parameters(numbers: Database) -> None:
    for n in range(10):
        await add(numbers, n, f"w{n}")

    async def work(tx: Transaction) -> tuple[list[int], list[int], int]:
        many = await tx.fetch("SELECT n FROM number WHERE n IN MANY($1) AND n > $2 ORDER BY n", [1, 5, 7, 99], 1)
        words = await tx.fetch("SELECT n FROM number WHERE word IN WORDS($1)", ["w3", "it's"])
        empty = await tx.fetch("SELECT n FROM number WHERE n IN MANY($1)", [])
        return [row[0] for row in many], [row[0] for row in words], len(empty)

    assert await numbers.read(work) == ([5, 7], [3], 0)


async def test_counts_of_touched_rows(numbers: Database) -> None:
    async def work(tx: Transaction) -> list[int]:
        await tx.many("INSERT INTO number (n) VALUES ($1)", [(n,) for n in range(5)])
        return [
            await tx.execute("UPDATE number SET word = 'x' WHERE n < 3"),
            await tx.execute("DELETE FROM number WHERE n = 77"),
            await tx.execute("INSERT INTO number (n) VALUES (1) ON CONFLICT (n) DO NOTHING"),
        ]

    assert await numbers.write(work) == [3, 0, 0]


async def test_calls_after_the_commit_only(numbers: Database) -> None:
    heard: list[str] = []

    async def good(tx: Transaction) -> None:
        tx.after_commit(lambda: heard.append("good"))
        assert not heard

    async def bad(tx: Transaction) -> None:
        tx.after_commit(lambda: heard.append("bad"))
        raise Refused("no")

    await numbers.write(good)
    with pytest.raises(Refused):
        await numbers.write(bad)
    assert heard == ["good"]


@pytest.mark.parametrize("heavy", [False, True])
async def test_a_read_sees_one_moment(numbers: Database, heavy: bool) -> None:
    await add(numbers, 1)

    async def work(tx: Transaction) -> int:
        return int(await tx.value("SELECT count(*) FROM number"))

    assert await numbers.read(work, heavy=heavy) == 1

    async def write(tx: Transaction) -> None:
        await tx.execute("INSERT INTO number (n) VALUES (2)")

    if numbers.dialect == "sqlite":
        # query_only guards against a read that writes.
        with pytest.raises(StoreUnavailable):
            await numbers.read(write, heavy=heavy)
    else:
        with pytest.raises((Broken, StoreUnavailable)):
            await numbers.read(write, heavy=heavy)
    assert await all_numbers(numbers) == [1]


async def test_counting_up_loses_nothing(numbers: Database) -> None:
    await add(numbers, 0, "0")

    async def work(tx: Transaction) -> None:
        word = await tx.value("UPDATE number SET word = word WHERE n = 0 RETURNING word")
        await tx.execute("UPDATE number SET word = $1 WHERE n = 0", str(int(word) + 1))

    await asyncio.gather(*(numbers.write(work) for _ in range(50)))
    assert (await numbers.query("SELECT word FROM number"))[0][0] == "50"


async def test_a_circle_of_locks_is_untied(numbers: Database) -> None:
    await add(numbers, 1, "0")
    await add(numbers, 2, "0")

    async def both(first: int, second: int) -> None:
        async def work(tx: Transaction) -> None:
            for n in (first, second):
                await tx.execute("UPDATE number SET word = word || 'x' WHERE n = $1", n)

        await numbers.write(work)

    await asyncio.gather(*(both(1, 2) if n % 2 else both(2, 1) for n in range(4)))
    rows = await numbers.query("SELECT word FROM number")
    assert [len(row[0]) for row in rows] == [5, 5]


async def test_a_cancelled_caller_harms_nobody(numbers: Database) -> None:
    tasks = [asyncio.create_task(add(numbers, n)) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    there = await all_numbers(numbers)
    assert set(range(1, 20, 2)) <= set(there)
    await add(numbers, 100)


async def test_migrations_at_once_from_many_nodes(database_url: str) -> None:
    nodes = await asyncio.gather(*(open_database(database_url) for _ in range(4)))
    assert await missing(nodes[0]) == [name for name, _ in STEPS]
    applied = await asyncio.gather(*(migrate(node) for node in nodes))
    assert sorted(applied, key=len)[-1] == [name for name, _ in STEPS]
    assert sum(len(each) for each in applied) == len(STEPS)
    assert await missing(nodes[1]) == []
    await asyncio.gather(*(node.close() for node in nodes))
