"""Putting several messages into a folder at once, all or none, also in place of one that was there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everpost.core.clock import milliseconds
from everpost.core.ids import FolderId, ModSeq, trace_id
from everpost.mailbox import flags as flag_names
from everpost.mailbox.deliver import find
from everpost.mailbox.errors import NoFolder, NoMessage, OverQuota
from everpost.mailbox.values import AppendedMany
from everpost.mailbox.writing import lock, references, totals
from everpost.message.digest import digest
from everpost.store.ports import OutcomeUnknown, Transaction
from everpost.store.sql import contents, counters, folders, messages
from everpost.store.sql.contents import ContentRow
from everpost.store.sql.messages import MessageRow

if TYPE_CHECKING:
    from everpost.mailbox.account import AccountMail


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be stored."""

    raw: bytes
    flags: frozenset[str] = frozenset()
    internal_ms: int | None = None
    """Unix milliseconds; None for now."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A message that goes when the new ones come."""

    folder_id: int
    uid: int


async def append_many(
    mail: "AccountMail", name: str, new: Sequence[NewMessage], replacing: Replaced | None
) -> AppendedMany:
    """See AccountMail.append_many."""
    now = milliseconds(mail.clock.now())
    validity = (await mail.status(name)).uid_validity
    packed = [
        await mail.contents.pack(each.raw, digest(each.raw), trace_id(mail.clock.now(), mail.mailboxes.chance))
        for each in new
    ]
    freed: list[str] = []

    async def work(tx: Transaction) -> AppendedMany:
        freed.clear()
        modseq = await lock(tx, mail)
        folder = await folders.by_name(tx, mail.account_id, name)
        if folder is None:
            raise NoFolder("no such folder")
        if replacing is not None:
            freed.extend(await _remove(tx, mail, replacing, modseq, now))
        await _claim(tx, mail, packed)
        first = await folders.take_uids(tx, folder.folder_id, len(new), modseq)
        assert first is not None
        rows = []
        for uid, (each, content) in enumerate(zip(new, packed, strict=True), first):
            bits, keywords = flag_names.stored(each.flags)
            internal_ms = now if each.internal_ms is None else each.internal_ms
            content_id = await contents.insert(tx, content, 1)
            rows.append(MessageRow(uid, modseq, bits, keywords, content.size, internal_ms, now, content_id))
        await messages.insert_many(tx, folder.folder_id, rows)
        await folders.count(tx, folder.folder_id, modseq, **totals(rows))
        return AppendedMany(folder.uid_validity, [row.uid for row in rows])

    try:
        appended = await mail.database.write(work)
    except OutcomeUnknown:
        # It is all there or nothing is, with UIDs in a row.
        found = await find(mail.database, mail.account_id, packed[0].trace_id)
        if found is None:
            raise
        return AppendedMany(validity, list(range(found.uid, found.uid + len(new))))
    await mail.contents.discard(freed)
    return appended


async def _claim(tx: Transaction, mail: "AccountMail", packed: Sequence[ContentRow]) -> None:
    """Count what comes. Raises OverQuota."""
    size = sum(content.size for content in packed)
    usage = await counters.usage(tx, mail.account_id)
    if mail.quota and usage is not None and usage.bytes + size > mail.quota:
        raise OverQuota("the mailbox is full")
    await counters.add(tx, mail.account_id, size, len(packed))


async def _remove(tx: Transaction, mail: "AccountMail", old: Replaced, modseq: int, now: int) -> list[str]:
    """Take a message away; the keys of blobs that go with it. Raises NoMessage."""
    folder_id = FolderId(old.folder_id)
    rows = await messages.some(tx, folder_id, [old.uid])
    if not rows:
        raise NoMessage("the message is gone")
    less = {key: -value for key, value in totals(rows).items()}
    await messages.remove(tx, folder_id, [old.uid], ModSeq(modseq), now)
    await folders.count(tx, folder_id, ModSeq(modseq), **less)
    await counters.add(tx, mail.account_id, less["size"], less["messages"])
    return await contents.drop_refs(tx, references(rows))
