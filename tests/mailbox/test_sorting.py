"""Orders and threads."""

import random

import pytest

from everpost.mailbox.account import AccountMail
from everpost.mailbox.sorting import SortBy, SortKey, sort
from everpost.mailbox.threads import Thread, by_references, by_subject


async def put(mail: AccountMail, *, internal: int = 0, size: int = 0, **fields: str) -> int:
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    raw = ("".join(lines) + "\r\n" + "x" * size).encode()
    return (await mail.append("INBOX", raw, internal_ms=internal)).uid


def shape(threads: list[Thread]) -> list[object]:
    """Nested lists: [uid, answers...]; a missing message is None."""
    return [[thread.uid, *shape(thread.children)] for thread in threads]


async def test_orders(mail: AccountMail) -> None:
    day = "Mon, {} Jun 2026 10:00:00 +0000"
    await put(mail, internal=3, size=5, Subject="Re: beta", From="Zoe <a@x.test>", To="m@x.test", Date=day.format(3))
    await put(mail, internal=1, size=90, Subject="Alpha", From="Ann <c@x.test>", To="k@x.test", Date=day.format(1))
    await put(mail, internal=2, size=40, Subject="[l] alpha", From="b@x.test", Cc="z@x.test", Date=day.format(2))
    await put(mail, internal=99, Subject="")
    view = await mail.select("INBOX")

    async def order(*keys: SortKey) -> list[int]:
        return await sort(view, [4, 1, 3, 2], keys)

    assert await order(SortKey(SortBy.ARRIVAL)) == [2, 3, 1, 4]
    assert await order(SortKey(SortBy.DATE)) == [4, 2, 3, 1], "no Date: the internal one"
    assert await order(SortKey(SortBy.DATE, reverse=True)) == [1, 3, 2, 4]
    assert await order(SortKey(SortBy.SUBJECT)) == [4, 2, 3, 1]
    assert await order(SortKey(SortBy.SUBJECT, reverse=True)) == [1, 2, 3, 4], "ties stay in order"
    assert await order(SortKey(SortBy.SUBJECT), SortKey(SortBy.SIZE)) == [4, 3, 2, 1]
    assert await order(SortKey(SortBy.FROM)) == [4, 1, 3, 2]
    assert await order(SortKey(SortBy.DISPLAYFROM)) == [4, 2, 3, 1]
    assert await order(SortKey(SortBy.TO)) == [3, 4, 2, 1]
    assert await order(SortKey(SortBy.CC, reverse=True)) == [3, 1, 2, 4]
    assert await sort(view, [], [SortKey(SortBy.DATE)]) == []
    view.close()


async def test_threads_by_subject(mail: AccountMail) -> None:
    for subject, minute in (("b", 5), ("Re: a", 3), ("a", 1), ("c", 2), ("re: b", 4)):
        await put(mail, Subject=subject, Date=f"Mon, 1 Jun 2026 10:0{minute}:00 +0000")
    view = await mail.select("INBOX")
    assert shape(await by_subject(view, view.uids)) == [[3, [2]], [4], [5, [1]]]
    view.close()


async def test_threads_by_references(mail: AccountMail) -> None:
    date = "Mon, 1 Jun 2026 10:{:02}:00 +0000"
    await put(mail, Subject="a", Message_ID="<1@x>", Date=date.format(1))
    await put(mail, Subject="Re: a", Message_ID="<2@x>", In_Reply_To="<1@x>", Date=date.format(3))
    await put(mail, Subject="Re: a", Message_ID="<3@x>", References="<1@x> <2@x>", Date=date.format(4))
    await put(mail, Subject="Re: a", Message_ID="<4@x>", References="<1@x>", Date=date.format(2))
    # Two answers to a message that is not here.
    await put(mail, Subject="Re: gone", Message_ID="<5@x>", References="<0@x>", Date=date.format(5))
    await put(mail, Subject="Re: gone", Message_ID="<6@x>", References="<0@x>", Date=date.format(6))
    # The same subject, no references.
    await put(mail, Subject="hello", Message_ID="<7@x>", Date=date.format(7))
    await put(mail, Subject="Re: hello", Message_ID="<8@x>", Date=date.format(8))
    # The same id twice, and none at all.
    await put(mail, Subject="twice", Message_ID="<1@x>", Date=date.format(9))
    await put(mail, Subject="none", Date=date.format(10))
    view = await mail.select("INBOX")
    assert shape(await by_references(view, view.uids)) == [
        [1, [4], [2, [3]]],
        [None, [5], [6]],
        [7, [8]],
        [9],
        [10],
    ]
    view.close()


async def test_circles_and_long_chains_end(mail: AccountMail) -> None:
    await put(mail, Subject="a", Message_ID="<1@x>", References="<2@x>")
    await put(mail, Subject="b", Message_ID="<2@x>", References="<1@x>")
    await put(mail, Subject="c", Message_ID="<3@x>", References="<3@x>")
    for n in range(10, 110):
        await put(mail, Subject=f"s{n}", Message_ID=f"<{n}@x>", In_Reply_To=f"<{n - 1}@x>")
    view = await mail.select("INBOX")
    threads = await by_references(view, view.uids)
    assert sorted(uids(threads)) == view.uids
    view.close()


def uids(threads: list[Thread]) -> list[int]:
    found = []
    for thread in threads:
        found += [thread.uid] if thread.uid is not None else []
        found += uids(thread.children)
    return found


@pytest.mark.parametrize("seed", range(5))
async def test_every_message_is_in_one_thread(mail: AccountMail, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        fields = {"Subject": chance.choice(["", "Re: a", "a", "b", "Re: b", "[fwd: c]", "c"])}
        if chance.random() < 0.8:
            fields["Message_ID"] = f"<{chance.randrange(30)}@x>"
        if chance.random() < 0.6:
            fields["References"] = " ".join(f"<{chance.randrange(40)}@x>" for _ in range(chance.randrange(5)))
        await put(mail, internal=chance.randrange(10**6), **fields)
    view = await mail.select("INBOX")
    for threads in (await by_references(view, view.uids), await by_subject(view, view.uids)):
        assert sorted(uids(threads)) == view.uids
    view.close()
