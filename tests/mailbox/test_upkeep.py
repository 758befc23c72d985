"""Orphaned blobs and old tombstones."""

import random
from collections.abc import AsyncIterator

from everpost.core.ids import AccountId, time_of, trace_id
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.upkeep import TOMBSTONE_SECONDS, collect_orphans, prune_tombstones
from tests.mailbox.conftest import DictBlobs, message


class ListedBlobs(DictBlobs):
    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        for key in list(self.held):
            yield key


class LaterClock:
    def __init__(self, later: float) -> None:
        self.time = 1_790_000_000.25 + later

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def test_trace_ids_tell_their_time_and_sort_by_it() -> None:
    chance = random.Random(1)
    ids = [trace_id(1_790_000_000.5 + n, chance) for n in range(100)]
    assert ids == sorted(ids)
    assert [time_of(each) for each in ids] == [1_790_000_000.5 + n for n in range(100)]
    assert time_of("x" * 20) == time_of("A") == 0


async def test_only_old_blobs_without_a_message_go(mail: AccountMail, blobs: DictBlobs) -> None:
    listed = ListedBlobs()
    listed.held = blobs.held
    await mail.append("INBOX", message() + random.Random(1).randbytes(100_000))
    used = next(iter(blobs.held))
    chance = random.Random(2)
    old = trace_id(1_790_000_000 - 90_000, chance).lower()
    fresh = trace_id(1_790_000_000, chance).lower()
    listed.held.update({old: b"x", fresh: b"y"})
    assert await collect_orphans(mail.database, listed, LaterClock(0)) == 1
    assert set(listed.held) == {used, fresh}
    assert await collect_orphans(mail.database, listed, LaterClock(100_000)) == 1
    assert set(listed.held) == {used}


async def test_tombstones_are_kept_for_their_time(mail: AccountMail) -> None:
    for _ in range(3):
        await mail.append("INBOX", message())
    view = await mail.select("INBOX")
    await view.remove([1, 3])
    view.close()
    assert await prune_tombstones(mail.database, LaterClock(TOMBSTONE_SECONDS - 10)) == 0
    assert await prune_tombstones(mail.database, LaterClock(TOMBSTONE_SECONDS + 10)) == 2
    assert not await mail.database.query("SELECT uid FROM expunged")


async def test_a_leaving_account_leaves_nothing(mailboxes: Mailboxes, mail: AccountMail, blobs: DictBlobs) -> None:
    other = await mailboxes.open(AccountId(2))
    await other.append("INBOX", message())
    await mail.append("INBOX", message() + random.Random(1).randbytes(100_000))
    view = await mail.select("INBOX")
    await view.copy([1], "Archive")
    await mail.delete_all()
    assert (await view.sync(True)).gone
    view.close()
    assert not blobs.held
    for table in ("mail_account", "folder", "subscription"):
        rows = await mail.database.query(f"SELECT account_id FROM {table}")
        assert {row[0] for row in rows} == {2}
    assert len(await mail.database.query("SELECT content_id FROM content")) == 1
