"""Changes to the tree of folders: make, delete, rename. One transaction each, under the account's lock."""

from typing import TYPE_CHECKING

from everpost.core.ids import AccountId, ModSeq
from everpost.mailbox import names
from everpost.mailbox.errors import BadFolderName, FolderExists, FolderGone, NoFolder, UseTaken
from everpost.mailbox.values import Folder
from everpost.store.ports import Transaction
from everpost.store.sql import annotations, contents, counters, folders, messages
from everpost.store.sql.folders import FolderRow

if TYPE_CHECKING:
    from everpost.mailbox.account import AccountMail


def shown(row: FolderRow, subscribed: set[str]) -> Folder:
    """A stored folder as doors see it."""
    return Folder(
        folder_id=row.folder_id,
        name=row.name,
        role=row.role,
        subscribed=row.name in subscribed,
        uid_validity=row.uid_validity,
        uid_next=row.uid_next,
        recent_uid=row.recent_uid,
        highest_modseq=row.modseq,
        messages=row.messages,
        unseen=row.unseen,
        deleted=row.deleted,
        bytes=row.bytes,
    )


async def create_first(tx: Transaction, account: AccountId, now_seconds: int) -> None:
    """Make the account's row and the folders it starts with, subscribed, unless they are there."""
    await counters.create(tx, account)
    modseq = await counters.lock(tx, account)
    assert modseq is not None
    there = {row.name for row in await folders.all_of(tx, account)}
    for name, role in names.FIRST_FOLDERS:
        if name not in there:
            validity = await counters.next_validity(tx, account, now_seconds)
            await folders.create(tx, account, name, role, validity, modseq)
            await folders.subscribe(tx, account, name)


async def _lock(tx: Transaction, mail: "AccountMail") -> ModSeq:
    modseq = await counters.lock(tx, mail.account_id)
    if modseq is None:
        raise FolderGone("the account is gone")
    tx.after_commit(lambda: mail.publish(modseq))
    return modseq


async def create(mail: "AccountMail", name: str, role: str | None) -> None:
    """See AccountMail.create."""
    now = int(mail.clock.now())

    async def work(tx: Transaction) -> None:
        modseq = await _lock(tx, mail)
        there = {row.name: row for row in await folders.all_of(tx, mail.account_id)}
        if name in there:
            raise FolderExists("the folder exists already")
        if role is not None and any(row.role == role for row in there.values()):
            raise UseTaken("another folder has this use")
        await _make(tx, mail, set(there), name, role, modseq, now)

    await mail.database.write(work)


async def _make(
    tx: Transaction, mail: "AccountMail", there: set[str], name: str, role: str | None, modseq: ModSeq, now: int
) -> None:
    """Make a folder and those above it that are missing (RFC 9051 section 6.3.4)."""
    wanted = [*(parent for parent in names.parents(name) if parent not in there), name]
    if len(there) + len(wanted) > names.MAX_FOLDERS:
        raise BadFolderName("there are too many folders")
    for each in wanted:
        validity = await counters.next_validity(tx, mail.account_id, now)
        await folders.create(tx, mail.account_id, each, role if each == name else None, validity, modseq)


async def delete(mail: "AccountMail", name: str) -> None:
    """See AccountMail.delete."""
    if name == names.INBOX:
        raise BadFolderName("INBOX cannot be deleted")
    freed: list[str] = []

    async def work(tx: Transaction) -> None:
        freed.clear()
        await _lock(tx, mail)
        folder = await folders.by_name(tx, mail.account_id, name)
        if folder is None:
            raise NoFolder("no such folder")
        counts = await messages.remove_all(tx, folder.folder_id)
        await folders.delete(tx, folder.folder_id)
        await counters.add(tx, mail.account_id, -folder.bytes, -folder.messages)
        freed.extend(await contents.drop_refs(tx, counts))

    await mail.database.write(work)
    await mail.contents.discard(freed)


async def delete_all(mail: "AccountMail") -> None:
    """Remove everything the account holds, for an account that is going; one folder at a time."""
    freed: list[str] = []

    async def names_left(tx: Transaction) -> list[FolderRow]:
        return await folders.all_of(tx, mail.account_id)

    async def finish(tx: Transaction) -> None:
        await tx.execute("DELETE FROM subscription WHERE account_id = $1", mail.account_id)
        await annotations.forget(tx, mail.account_id)
        await counters.delete(tx, mail.account_id)

    for folder in await mail.database.read(names_left):

        async def empty(tx: Transaction, folder: FolderRow = folder) -> list[str]:
            if await counters.lock(tx, mail.account_id) is None:
                return []
            counts = await messages.remove_all(tx, folder.folder_id)
            await folders.delete(tx, folder.folder_id)
            return await contents.drop_refs(tx, counts)

        freed.extend(await mail.database.write(empty))
    await mail.database.write(finish)
    mail.publish(ModSeq(0))
    await mail.contents.discard(freed)


async def rename(mail: "AccountMail", old: str, new: str) -> None:
    """See AccountMail.rename."""
    now = int(mail.clock.now())

    async def work(tx: Transaction) -> None:
        modseq = await _lock(tx, mail)
        there = {row.name: row for row in await folders.all_of(tx, mail.account_id)}
        if old not in there:
            raise NoFolder("no such folder")
        if new in there or new == names.INBOX:
            raise FolderExists("the new name is taken")
        if old == names.INBOX:
            await _make(tx, mail, set(there), new, None, modseq, now)
            await _empty_inbox(tx, mail, there[old], new, modseq, now * 1000)
            return
        if new.startswith(old + names.SEPARATOR):
            raise BadFolderName("a folder cannot move below itself")
        for parent in names.parents(new):
            if parent not in there:
                await _make(tx, mail, set(there), parent, None, modseq, now)
                there.update((row.name, row) for row in await folders.all_of(tx, mail.account_id))
        for row in list(there.values()):
            if row.name == old or row.name.startswith(old + names.SEPARATOR):
                name = names.normal(new + row.name[len(old) :])
                if name in there:
                    raise FolderExists("the new name of a folder below is taken")
                await folders.rename(tx, row.folder_id, name, modseq)

    await mail.database.write(work)


async def _empty_inbox(
    tx: Transaction, mail: "AccountMail", inbox: FolderRow, new: str, modseq: ModSeq, now_ms: int
) -> None:
    """Move all of INBOX to the new folder; folders below INBOX stay (RFC 9051 section 6.3.6)."""
    target = await folders.by_name(tx, mail.account_id, new)
    assert target is not None
    rows = [messages.MessageRow._make(row) for row in await messages.all_in(tx, inbox.folder_id)]
    if not rows:
        return
    totals = {"messages": inbox.messages, "unseen": inbox.unseen, "deleted": inbox.deleted, "size": inbox.bytes}
    await messages.remove(tx, inbox.folder_id, [row.uid for row in rows], modseq, now_ms)
    await folders.count(tx, inbox.folder_id, modseq, **{key: -value for key, value in totals.items()})
    first = await folders.take_uids(tx, target.folder_id, len(rows), modseq)
    assert first is not None
    moved = [row._replace(uid=first + place, modseq=modseq) for place, row in enumerate(rows)]
    await messages.insert_many(tx, target.folder_id, moved)
    await folders.count(tx, target.folder_id, modseq, **totals)
