"""Several messages at once, all or none, and in place of one that was there."""

import random

import pytest

from everpost.core.ids import AccountId
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.appending import NewMessage, Replaced
from everpost.mailbox.errors import NoFolder, NoMessage, OverQuota
from tests.mailbox.conftest import DictBlobs, message


async def test_all_or_none(mailboxes: Mailboxes, mail: AccountMail) -> None:
    new = [NewMessage(message(str(n)), frozenset({"\\Deleted"} if n else {"\\Seen"}), n * 1000) for n in range(3)]
    appended = await mail.append_many("inbox", new)
    assert appended.uids == [1, 2, 3]
    view = await mail.select("INBOX")
    assert [view.record(uid).internal_ms for uid in view.uids] == [0, 1000, 2000]
    assert await view.raw(2) == new[1].raw
    view.close()
    folder = await mail.status("INBOX")
    assert (folder.messages, folder.unseen, folder.deleted) == (3, 2, 2)
    assert folder.bytes == sum(len(each.raw) for each in new) == (await mail.usage()).bytes
    assert await mail.deleted_bytes([folder]) == {folder.folder_id: len(new[1].raw) + len(new[2].raw)}
    small = await mailboxes.open(AccountId(1), folder.bytes + len(new[0].raw))
    with pytest.raises(OverQuota):
        await small.append_many("INBOX", new[:2])
    with pytest.raises(NoFolder):
        await mail.append_many("Nowhere", new)
    after = await mail.status("INBOX")
    assert (after.messages, after.uid_next, (await mail.usage()).messages) == (3, 4, 3)


async def test_replacing(mailboxes: Mailboxes, mail: AccountMail, blobs: DictBlobs) -> None:
    await mail.append("Drafts", message("old") + random.Random(1).randbytes(100_000))
    drafts = await mail.status("Drafts")
    old = Replaced(drafts.folder_id, 1)
    view = await mail.select("Drafts")
    # What goes makes room for what comes.
    small = await mailboxes.open(AccountId(1), drafts.bytes)
    with pytest.raises(OverQuota):
        await small.append_many("Sent", [NewMessage(message(body="x" * 200_000))], old)
    assert (await view.sync(True)).vanished == []
    appended = await small.append_many("Sent", [NewMessage(message("new"))], old)
    assert appended.uids == [1]
    assert (await view.sync(True)).vanished == [1]
    assert not blobs.held
    usage = await mail.usage()
    assert (usage.messages, usage.bytes) == (1, len(message("new")))
    with pytest.raises(NoMessage):
        await mail.append_many("Sent", [NewMessage(message("newer"))], old)
    assert (await mail.status("Sent")).messages == 1
    view.close()
