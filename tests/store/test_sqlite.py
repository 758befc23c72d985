"""What only the embedded engine does: group commit, several processes, units that wait."""

import asyncio
import sys
from pathlib import Path

import pytest

from everpost.core.errors import Broken
from everpost.store.ports import Transaction
from everpost.store.sqlite.database import SqliteDatabase


async def make(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(path)
    await database.statement("CREATE TABLE IF NOT EXISTS number (n INTEGER)")
    return database


async def test_units_written_together_share_commits(tmp_path: Path) -> None:
    database = await make(tmp_path / "a.db")
    commits = 0
    original = database._commit

    def counted() -> None:
        nonlocal commits
        commits += 1
        original()

    database._commit = counted  # type: ignore[method-assign]
    await asyncio.gather(*(database.statement("INSERT INTO number VALUES ($1)", n) for n in range(200)))
    assert len(await database.query("SELECT n FROM number")) == 200
    assert commits <= 3
    await database.close()


async def test_a_unit_that_waits_is_our_fault_and_undone(tmp_path: Path) -> None:
    database = await make(tmp_path / "a.db")

    async def work(tx: Transaction) -> None:
        await tx.execute("INSERT INTO number VALUES (1)")
        await asyncio.sleep(0)

    with pytest.raises(Broken):
        await database.write(work)
    assert not await database.query("SELECT n FROM number")
    await database.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from everpost.store.sqlite.database import SqliteDatabase
async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    for n in range(100):
        await asyncio.gather(*(database.statement("INSERT INTO number VALUES ($1)", n) for _ in range(3)))
    await database.close()
asyncio.run(main())
"""


async def test_several_processes_write_at_once(tmp_path: Path) -> None:
    database = await make(tmp_path / "a.db")
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(tmp_path / "a.db")) for _ in range(3)
    ]
    async with asyncio.timeout(60):
        codes = await asyncio.gather(*(process.wait() for process in processes))
    assert codes == [0, 0, 0]
    assert (await database.query("SELECT count(*) FROM number"))[0][0] == 900
    await database.close()


async def test_closing_finishes_what_was_asked(tmp_path: Path) -> None:
    database = await make(tmp_path / "a.db")
    tasks = [asyncio.create_task(database.statement("INSERT INTO number VALUES ($1)", n)) for n in range(10)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*tasks)
    again = await make(tmp_path / "a.db")
    assert len(await again.query("SELECT n FROM number")) == 10
    await again.close()
