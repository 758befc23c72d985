"""What is gone from a folder since a client last looked (QRESYNC): from tombstones, or from what is there."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from everpost.mailbox.criteria import Ranges, spans
from everpost.mailbox.errors import FolderGone
from everpost.store.ports import Transaction
from everpost.store.sql import messages

if TYPE_CHECKING:
    from everpost.mailbox.view import View

RFCS = (7162,)

Pairs = list[tuple[int, int]]


async def vanished(view: "View", since: int, known: Ranges | None) -> Pairs:
    """Ranges of UIDs among `known` (None: all) that were removed after modseq `since`, ascending.

    Where tombstones may be forgotten, every UID of `known` that is not there is in it
    (RFC 7162 section 3.2.5.1). What the session still counts as there is never in it.
    Raises StoreUnavailable, FolderGone.
    """
    top = view.uid_next - 1
    wanted = [(low, min(high, top)) for low, high in spans(known or ((1, max(top, 1)),), top) if low <= top]

    async def work(tx: Transaction) -> list[int] | None:
        pruned = await messages.pruned(tx, view.index.folder_id)
        if pruned is None:
            raise FolderGone("the folder was deleted")
        return None if since < pruned else await messages.expunged_since(tx, view.index.folder_id, since)

    gone = await view.mail.database.read(work)
    if gone is None:
        return holes(wanted, view.uids)
    return runs(among(sorted(set(gone).difference(view.uids)), wanted))


def holes(wanted: Iterable[tuple[int, int]], there: Sequence[int]) -> Pairs:
    """The parts of ascending ranges that are not `there`."""
    found = []
    for low, high in wanted:
        for uid in there[bisect_left(there, low) : bisect_right(there, high)]:
            if low < uid:
                found.append((low, uid - 1))
            low = uid + 1
        if low <= high:
            found.append((low, high))
    return found


def among(uids: Sequence[int], wanted: Iterable[tuple[int, int]]) -> list[int]:
    """Those of the ascending UIDs that lie in ascending ranges."""
    return [uid for low, high in wanted for uid in uids[bisect_left(uids, low) : bisect_right(uids, high)]]


def runs(uids: Iterable[int]) -> Pairs:
    """Ascending numbers as ranges."""
    found: Pairs = []
    for uid in uids:
        if found and found[-1][1] == uid - 1:
            found[-1] = (found[-1][0], uid)
        else:
            found.append((uid, uid))
    return found
