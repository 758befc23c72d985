"""What sessions see of each other's changes."""

import random

import pytest

from everpost.core.ids import AccountId
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.errors import NoFolder, OverQuota
from everpost.mailbox.view import View
from tests.mailbox.conftest import DictBlobs, message


async def fill(mail: AccountMail, count: int, name: str = "INBOX") -> list[int]:
    return [(await mail.append(name, message(str(n)))).uid for n in range(count)]


async def test_messages_come_back_byte_for_byte(mail: AccountMail, blobs: DictBlobs) -> None:
    chance = random.Random(3)
    noise = chance.randbytes(400_000).replace(b"\r", b"").replace(b"\n", b"")
    for raw in (message(), message(body="x" * 100_000), b"no header", b"", b"A: b\n\n" + bytes(range(256)), noise):
        appended = await mail.append("Drafts", raw)
        view = await mail.select("Drafts", read_only=True)
        mail.raw_cache.__init__()  # type: ignore[misc]
        assert await view.raw(appended.uid) == raw
        assert view.record(appended.uid).size == len(raw)
        view.close()
    assert len(blobs.held) == 1


async def test_a_bulky_message_leaves_no_blob_behind(mail: AccountMail, blobs: DictBlobs) -> None:
    raw = message() + random.Random(1).randbytes(100_000)
    await mail.append("INBOX", raw, frozenset({"\\Deleted"}))
    view = await mail.select("INBOX")
    await view.copy([1], "Archive")
    assert await view.expunge() == [1]
    assert len(blobs.held) == 1
    archive = await mail.select("Archive")
    assert await archive.raw(1) == raw
    await archive.remove([1])
    assert not blobs.held
    view.close()
    archive.close()


async def test_two_sessions(mail: AccountMail) -> None:
    await fill(mail, 3)
    one, two = await mail.select("INBOX"), await mail.select("INBOX")
    await one.store([2], "add", frozenset({"\\Deleted", "work"}))
    assert not (await one.sync(True)).flags, "one knows already"
    changes = await two.sync(True)
    assert [(seq, record.flags) for seq, record in changes.flags] == [(2, frozenset({"\\Deleted", "work"}))]
    assert await one.expunge() == [2]
    changes = await two.sync(False)
    assert not changes.expunged and two.uids == [1, 2, 3]
    assert two.is_gone(2) and two.record(2).uid == 2
    await fill(mail, 1)
    changes = await two.sync(True)
    assert (changes.expunged, changes.vanished, changes.exists) == ([2], [2], 3)
    assert two.uids == [1, 3, 4]
    one.close()
    two.close()


async def test_changes_wake_sessions(mail: AccountMail) -> None:
    view = await mail.select("INBOX")
    woken: list[int] = []
    view.on_change(lambda: woken.append(1))
    await fill(mail, 1)
    assert woken
    assert (await view.sync(True)).exists == 1
    count = len(woken)
    await view.sync(True)
    assert len(woken) == count, "looking does not wake oneself"
    view.close()
    await fill(mail, 1)
    assert len(woken) == count


async def test_expunged_numbers_are_right_when_said(mail: AccountMail) -> None:
    await fill(mail, 10)
    one, two = await mail.select("INBOX"), await mail.select("INBOX")
    await one.remove([2, 3, 7, 10])
    told = list(two.uids)
    for number in (await two.sync(True)).expunged:
        del told[number - 1]
    assert told == two.uids == [1, 4, 5, 6, 8, 9]
    one.close()
    two.close()


async def test_store_only_what_is_unchanged(mail: AccountMail) -> None:
    await fill(mail, 3)
    view = await mail.select("INBOX")
    before = view.highest_modseq
    await view.store([2], "set", frozenset({"\\Seen"}))
    assert view.highest_modseq > before
    stored = await view.store([1, 2, 3], "add", frozenset({"\\Flagged"}), unchanged_since=before)
    assert stored.modified == [2]
    assert [record.uid for record in stored.changed] == [1, 3]
    assert view.record(2).flags == {"\\Seen"}
    view.close()


async def test_totals_are_kept(mail: AccountMail) -> None:
    await fill(mail, 4)
    view = await mail.select("INBOX")
    await view.store([1, 2], "add", frozenset({"\\Seen"}))
    await view.store([2, 3], "add", frozenset({"\\Deleted"}))
    size = view.record(1).size
    status = await mail.status("INBOX")
    assert (status.messages, status.unseen, status.deleted, status.bytes) == (4, 2, 2, 4 * size)
    await view.copy([2, 3], "Archive")
    status = await mail.status("Archive")
    assert (status.messages, status.unseen, status.deleted, status.bytes) == (2, 1, 2, 2 * size)
    assert (await mail.usage()).bytes == 6 * size
    await view.move([1, 4], "Archive")
    await view.expunge([2])
    status = await mail.status("INBOX")
    assert (status.messages, status.unseen, status.deleted, status.bytes) == (1, 1, 1, size)
    usage = await mail.usage()
    assert (usage.bytes, usage.messages) == (5 * size, 5)
    view.close()


async def test_move_pairs_uids(mail: AccountMail) -> None:
    await fill(mail, 3)
    await fill(mail, 2, "Archive")
    view = await mail.select("INBOX")
    moved = await view.move([1, 3, 77], "Archive")
    assert (moved.source, moved.target) == ([1, 3], [3, 4])
    with pytest.raises(NoFolder):
        await view.move([2], "nowhere")
    assert (await view.sync(True)).vanished == [1, 3]
    view.close()


async def test_copy_within_the_same_folder(mail: AccountMail) -> None:
    await fill(mail, 2)
    view = await mail.select("INBOX")
    assert (await view.copy([1, 2], "INBOX")).target == [3, 4]
    assert (await view.sync(True)).exists == 4
    assert await view.raw(3) == await view.raw(1)
    view.close()


async def test_quota(mailboxes: Mailboxes) -> None:
    size = len(message("0"))
    mail = await mailboxes.open(AccountId(2), quota=size * 2 + 1)
    await fill(mail, 2)
    with pytest.raises(OverQuota):
        await fill(mail, 1)
    view = await mail.select("INBOX")
    with pytest.raises(OverQuota):
        await view.copy([1], "Archive")
    await view.remove([1])
    await fill(mail, 1)
    assert (await mail.status("INBOX")).messages == 2
    view.close()


async def test_a_folder_deleted_elsewhere(mail: AccountMail) -> None:
    await mail.create("x")
    view = await mail.select("x")
    await mail.delete("x")
    assert (await view.sync(True)).gone
    view.close()


async def test_recent_belongs_to_the_first_session(mail: AccountMail) -> None:
    await fill(mail, 2)
    peek = await mail.select("INBOX", read_only=True)
    assert peek.record(1).recent
    first = await mail.select("INBOX")
    assert first.record(2).recent
    second = await mail.select("INBOX")
    assert not second.record(2).recent
    for view in (peek, first, second):
        view.close()


async def test_thousands_of_keywords(mail: AccountMail) -> None:
    await fill(mail, 40)
    view = await mail.select("INBOX")
    for uid in range(1, 41):
        await view.store([uid], "set", frozenset(f"k{uid}-{n}" for n in range(100)))
    assert len({flag for uid in view.uids for flag in view.record(uid).flags}) == 4000
    await view.store([5], "remove", frozenset({"K5-7"}))
    assert len(view.record(5).flags) == 99
    view.close()


class Client:
    """Knows only what it was told."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.told = list(view.uids)
        self.flags = {uid: view.record(uid).flags for uid in view.uids}

    async def sync(self, expunges: bool) -> None:
        changes = await self.view.sync(expunges)
        for number in changes.expunged:
            del self.flags[self.told.pop(number - 1)]
        if changes.exists is not None:
            new = self.view.uids[len(self.told) :]
            self.told += new
            self.flags.update((uid, self.view.record(uid).flags) for uid in new)
            assert changes.exists == len(self.told)
        for number, record in changes.flags:
            assert self.told[number - 1] == record.uid
            self.flags[record.uid] = record.flags


@pytest.mark.parametrize("seed", range(6))
async def test_any_interleaving_ends_in_the_same_mailbox(mailboxes: Mailboxes, database_url: str, seed: int) -> None:
    """Sessions on two workers (two Mailboxes on two connections to one database) do random things."""
    from everpost.store.open import open_database

    chance = random.Random(seed)
    other_database = await open_database(database_url)
    other = Mailboxes(other_database, mailboxes.contents, mailboxes.feed, mailboxes.clock, random.Random(seed + 100))
    clients = []
    for worker in (mailboxes, mailboxes, other):
        mail = await worker.open(AccountId(5))
        clients.append(Client(await mail.select("INBOX")))
    last_modseq = last_uid = 0
    for _ in range(80):
        client = chance.choice(clients)
        view = client.view
        some = [uid for uid in view.uids if chance.random() < 0.3]
        match chance.randrange(7):
            case 0 | 1:
                uid = (await view.mail.append("INBOX", message())).uid
                assert uid > last_uid
                last_uid = uid
            case 2:
                flags = frozenset(chance.sample(["\\Seen", "\\Deleted", "a", "b"], 2))
                stored = await view.store(some, chance.choice(["set", "add", "remove"]), flags)
                client.flags.update((record.uid, record.flags) for record in stored.changed)
            case 3:
                await view.expunge(None if chance.random() < 0.5 else some)
            case 4:
                await client.sync(expunges=False)
            case 5:
                await client.sync(expunges=True)
            case 6:
                copied = await view.copy(some[:2], "INBOX")
                last_uid = max([last_uid, *copied.target])
        modseq = (await view.mail.status("INBOX")).highest_modseq
        assert modseq >= last_modseq
        last_modseq = modseq
    for client in clients:
        await client.sync(expunges=True)
    assert clients[0].told == clients[1].told == clients[2].told
    assert clients[0].flags == clients[1].flags == clients[2].flags
    status = await clients[0].view.mail.status("INBOX")
    assert status.messages == len(clients[0].told)
    assert status.unseen == sum("\\Seen" not in flags for flags in clients[0].flags.values())
    assert status.deleted == sum("\\Deleted" in flags for flags in clients[0].flags.values())
    for client in clients:
        client.view.close()
    await other_database.close()
