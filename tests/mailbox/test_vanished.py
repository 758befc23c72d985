"""What is gone since a client last looked."""

from hypothesis import given
from hypothesis import strategies as st

from everpost.mailbox.account import AccountMail
from everpost.mailbox.upkeep import TOMBSTONE_SECONDS, prune_tombstones
from everpost.mailbox.vanished import among, holes, runs
from tests.mailbox.conftest import message
from tests.mailbox.test_upkeep import LaterClock


async def test_from_tombstones_and_without_them(mail: AccountMail) -> None:
    for _ in range(9):
        await mail.append("INBOX", message())
    view, other = await mail.select("INBOX"), await mail.select("INBOX")
    before = view.highest_modseq
    await view.remove([2, 3])
    await view.sync(True)
    between = view.highest_modseq
    await view.remove([5])
    await other.sync(False)
    assert await view.vanished(before, None) == [(2, 3)], "5 still counts in this session"
    await view.sync(True)
    assert await view.vanished(before, None) == [(2, 3), (5, 5)]
    assert await view.vanished(between, None) == [(5, 5)]
    assert await view.vanished(before, ((3, 4), (6, 2**32 - 1))) == [(3, 3)]
    assert await view.vanished(view.highest_modseq, None) == []
    assert await other.vanished(before, None) == [], "it was told of none of these"
    latest = view.highest_modseq
    assert await prune_tombstones(mail.database, LaterClock(TOMBSTONE_SECONDS + 10)) == 3
    # Now all that is not there is told, whenever it went.
    assert await view.vanished(between, None) == [(2, 3), (5, 5)]
    assert await view.vanished(1, ((1, 2), (8, 2**32 - 1))) == [(2, 2)]
    assert await view.vanished(latest, None) == []
    await view.remove([9])
    await view.sync(True)
    assert await view.vanished(latest, None) == [(9, 9)]
    view.close()
    other.close()


async def test_an_empty_folder(mail: AccountMail) -> None:
    view = await mail.select("Drafts")
    assert await view.vanished(0, None) == []
    assert await view.vanished(0, ((1, 9),)) == []
    view.close()


ranges = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=4)


@given(ranges, st.sets(st.integers(1, 40)))
def test_holes_and_runs(drawn: list[tuple[int, int]], there: set[int]) -> None:
    wanted, last = [], 0
    for low, length in sorted(drawn):
        if low > last:
            wanted.append((low, low + length))
            last = low + length
    numbers = [uid for low, high in wanted for uid in range(low, high + 1)]
    found = [uid for low, high in holes(wanted, sorted(there)) for uid in range(low, high + 1)]
    assert found == [uid for uid in numbers if uid not in there]
    assert among(sorted(there), wanted) == [uid for uid in numbers if uid in there]
    assert [uid for low, high in runs(numbers) for uid in range(low, high + 1)] == numbers
