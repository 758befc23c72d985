"""New messages into folders."""

import asyncio
import random

import pytest

from everpost.core.ids import AccountId, trace_id
from everpost.mailbox.account import Mailboxes
from everpost.mailbox.deliver import Deliverer, LocalCopy, find, place_content
from everpost.mailbox.errors import OverQuota
from everpost.message.digest import digest
from everpost.store.ports import Conflict, Database, Transaction
from everpost.store.sql.contents import ContentRow
from tests.mailbox.conftest import StillClock, message

CHANCE = random.Random(5)


async def pack(mailboxes: Mailboxes, text: str = "x") -> ContentRow:
    raw = message(text)
    return await mailboxes.contents.pack(raw, digest(raw), trace_id(mailboxes.clock.now(), CHANCE))


@pytest.fixture
def deliverer(mailboxes: Mailboxes) -> Deliverer:
    return Deliverer(mailboxes.database, mailboxes.feed, StillClock())


async def test_the_first_messages_of_an_account_may_come_at_once(deliverer: Deliverer, mailboxes: Mailboxes) -> None:
    contents = [await pack(mailboxes) for _ in range(20)]
    placed = await asyncio.gather(*(deliverer.deliver_one(LocalCopy(AccountId(9)), each) for each in contents))
    assert sorted(place.uid for place in placed) == list(range(1, 21))
    assert (await (await mailboxes.open(AccountId(9))).usage()).messages == 20


async def test_a_folder_that_is_gone_means_inbox(deliverer: Deliverer, mailboxes: Mailboxes) -> None:
    await deliverer.deliver_one(LocalCopy(AccountId(1), "Nowhere"), await pack(mailboxes))
    await deliverer.deliver_one(LocalCopy(AccountId(1), "Junk", frozenset({"\\Seen", "$Junk"})), await pack(mailboxes))
    mail = await mailboxes.open(AccountId(1))
    assert (await mail.status("INBOX")).messages == 1
    junk = await mail.status("Junk")
    assert (junk.messages, junk.unseen) == (1, 0)


async def test_room_is_never_overdrawn(deliverer: Deliverer, mailboxes: Mailboxes) -> None:
    contents = [await pack(mailboxes) for _ in range(10)]
    copy = LocalCopy(AccountId(1), quota=contents[0].size * 4)
    results = await asyncio.gather(*(deliverer.deliver_one(copy, each) for each in contents), return_exceptions=True)
    assert sum(isinstance(result, OverQuota) for result in results) == 6
    assert (await (await mailboxes.open(AccountId(1))).usage()).bytes == contents[0].size * 4


async def test_several_recipients_share_one_content(
    deliverer: Deliverer, mailboxes: Mailboxes, database: Database
) -> None:
    content = await pack(mailboxes)
    copies = [LocalCopy(AccountId(n), quota=1 if n == 2 else 0) for n in (3, 1, 2)]

    async def work(tx: Transaction) -> object:
        return await deliverer.deliver_in(tx, copies, content, 1)

    woken: list[int] = []
    mailboxes.feed.subscribe("account:3", woken.append)
    delivery = await database.write(work)
    assert [place is not None for place in delivery.places] == [True, True, False]  # type: ignore[attr-defined]
    assert woken
    assert [tuple(row) for row in await database.query("SELECT refs FROM content")] == [(3,)]
    for account in (1, 3):
        mail = await mailboxes.open(AccountId(account))
        view = await mail.select("INBOX")
        assert await view.raw(1) == message("x")
        view.close()


async def test_the_same_delivery_twice_happens_once(mailboxes: Mailboxes, database: Database) -> None:
    """As after a lost answer to a commit: whoever repeats it gets the first one's place."""
    await mailboxes.open(AccountId(1))
    content = await pack(mailboxes)
    first = await place_content(database, AccountId(1), "INBOX", 0, content, 0, "", 5)
    again = await place_content(database, AccountId(1), "INBOX", 0, content, 0, "", 5)
    assert again == first == await find(database, AccountId(1), content.trace_id)
    assert (await (await mailboxes.open(AccountId(1))).usage()).messages == 1

    async def work(tx: Transaction) -> None:
        deliverer = Deliverer(database, mailboxes.feed, StillClock())
        await deliverer.deliver_in(tx, [LocalCopy(AccountId(1))], content, 0)

    with pytest.raises(Conflict):
        await database.write(work)
