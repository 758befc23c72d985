"""The tree of folders."""

import pytest

from everpost.core.ids import AccountId
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.errors import BadFolderName, FolderExists, NoFolder
from tests.mailbox.conftest import message


async def tree(mail: AccountMail) -> list[str]:
    return [folder.name for folder in await mail.folders()]


async def test_an_account_starts_with_the_usual_folders(mail: AccountMail) -> None:
    assert await tree(mail) == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]
    assert {folder.role for folder in await mail.folders()} >= {"\\Sent", "\\Trash", "\\Drafts", "\\Junk"}
    assert await mail.subscriptions() == sorted(await tree(mail))


async def test_opening_twice_changes_nothing(mailboxes: Mailboxes, mail: AccountMail) -> None:
    await mail.delete("Archive")
    again = await mailboxes.open(AccountId(1))
    assert "Archive" not in await tree(again)


async def test_folders_above_are_made_too(mail: AccountMail) -> None:
    await mail.create("a/b/c")
    assert {"a", "a/b", "a/b/c"} <= set(await tree(mail))
    with pytest.raises(FolderExists):
        await mail.create("a/b")


async def test_uid_validity_never_comes_back(mail: AccountMail) -> None:
    seen = set()
    for _ in range(5):
        folder = await mail.create("x")
        assert folder.uid_validity not in seen
        seen.add(folder.uid_validity)
        await mail.delete("x")


async def test_inbox_has_any_case_and_stays(mail: AccountMail) -> None:
    assert (await mail.status("inBoX")).name == "INBOX"
    with pytest.raises(BadFolderName):
        await mail.delete("inbox")
    with pytest.raises(FolderExists):
        await mail.create("InBox")
    await mail.create("inbox/below")
    assert "INBOX/below" in await tree(mail)


@pytest.mark.parametrize(
    "name", ["", "/", "a//b", "/a", "a/", "a\nb", "a\x00", "x" * 1001, "/".join("a" * 60), "\ud800"]
)
async def test_impossible_names(mail: AccountMail, name: str) -> None:
    with pytest.raises(BadFolderName):
        await mail.create(name)


async def test_deleting_keeps_what_is_below_and_frees_the_rest(mail: AccountMail) -> None:
    await mail.create("a/b")
    await mail.append("a", message())
    await mail.delete("a")
    assert "a" not in await tree(mail)
    assert "a/b" in await tree(mail)
    assert (await mail.usage()).messages == 0
    assert not await mail.database.query("SELECT content_id FROM content")
    with pytest.raises(NoFolder):
        await mail.delete("a")


async def test_renaming_takes_those_below_along(mail: AccountMail) -> None:
    await mail.create("a/b/c")
    appended = await mail.append("a/b", message())
    await mail.rename("a", "x/y")
    assert {"x", "x/y", "x/y/b", "x/y/b/c"} <= set(await tree(mail))
    assert not {"a", "a/b", "a/b/c"} & set(await tree(mail))
    status = await mail.status("x/y/b")
    assert (status.messages, status.uid_validity) == (1, appended.uid_validity)


async def test_renames_that_cannot_be(mail: AccountMail) -> None:
    await mail.create("a/b")
    await mail.create("c")
    for old, new, error in [
        ("a", "c", FolderExists),
        ("a", "a/b/d", BadFolderName),
        ("nowhere", "d", NoFolder),
        ("c", "INBOX", FolderExists),
    ]:
        with pytest.raises(error):
            await mail.rename(old, new)
    assert {"a", "a/b", "c"} <= set(await tree(mail))


async def test_renaming_inbox_moves_its_messages(mail: AccountMail) -> None:
    await mail.create("INBOX/below")
    for _ in range(3):
        await mail.append("INBOX", message())
    await mail.rename("INBOX", "old")
    assert (await mail.status("old")).messages == 3
    inbox = await mail.status("INBOX")
    assert (inbox.messages, inbox.unseen, inbox.bytes, inbox.uid_next) == (0, 0, 0, 4)
    assert "INBOX/below" in await tree(mail)


async def test_subscriptions_outlive_their_folder(mail: AccountMail) -> None:
    await mail.create("a")
    await mail.subscribe("a")
    await mail.subscribe("never")
    await mail.delete("a")
    assert {"a", "never"} <= set(await mail.subscriptions())
    await mail.unsubscribe("a")
    await mail.unsubscribe("a")
    assert "a" not in await mail.subscriptions()


async def test_one_folder_for_each_use(mail: AccountMail) -> None:
    with pytest.raises(FolderExists):
        await mail.create("Also sent", "\\Sent")
    await mail.delete("Sent")
    assert (await mail.create("Gesendet", "\\Sent")).role == "\\Sent"
