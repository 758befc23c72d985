"""Notes about folders and the account."""

import pytest

from everpost.core.ids import AccountId
from everpost.mailbox import annotating
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.errors import NoFolder, TooManyNotes


async def test_notes_follow_their_folder(mailboxes: Mailboxes, mail: AccountMail) -> None:
    other = await mailboxes.open(AccountId(2))
    await other.annotate("", {"/private/a": b"2"})
    folder = await mail.create("Work")
    await mail.annotate("Work", {"/private/comment": b"\0 mine", "/shared/b": b"x"})
    await mail.annotate("", {"/private/a": b"1"})
    await mail.annotate("Work", {"/private/comment": b"yours", "/shared/b": None, "/shared/c": None})
    await mail.rename("Work", "Play")
    assert await mail.annotations("Play") == {"/private/comment": b"yours"}
    assert await mail.annotations("") == {"/private/a": b"1"}
    assert await mail.all_annotations() == {folder.folder_id: {"/private/comment": b"yours"}, 0: {"/private/a": b"1"}}
    for name in ("Work", "Nowhere"):
        with pytest.raises(NoFolder):
            await mail.annotations(name)
        with pytest.raises(NoFolder):
            await mail.annotate(name, {"/private/a": b""})
    await mail.delete("Play")
    assert await mail.all_annotations() == {0: {"/private/a": b"1"}}
    await mail.delete_all()
    assert await mail.all_annotations() == {}
    assert await other.annotations("") == {"/private/a": b"2"}


async def test_there_are_not_too_many(mail: AccountMail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotating, "MAX_ANNOTATIONS", 3)
    await mail.annotate("INBOX", {"/private/a": b"", "/private/b": b"", "/private/c": b""})
    with pytest.raises(TooManyNotes):
        await mail.annotate("", {"/private/d": b""})
    await mail.annotate("INBOX", {"/private/a": None, "/private/d": b""})
    assert sorted(await mail.annotations("INBOX")) == ["/private/b", "/private/c", "/private/d"]
