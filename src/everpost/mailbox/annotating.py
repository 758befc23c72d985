"""What clients note about folders and the account: names such as "/private/comment" with values (RFC 5464)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from everpost.mailbox.errors import NoFolder, TooManyNotes
from everpost.mailbox.writing import lock
from everpost.store.ports import Transaction
from everpost.store.sql import annotations, folders

if TYPE_CHECKING:
    from everpost.mailbox.account import AccountMail

RFCS = (5464,)

# Of an account, all folders together.
MAX_ANNOTATIONS = 1_000


async def _folder(tx: Transaction, mail: "AccountMail", name: str) -> int:
    if not name:
        return 0
    folder = await folders.by_name(tx, mail.account_id, name)
    if folder is None:
        raise NoFolder("no such folder")
    return folder.folder_id


async def read(mail: "AccountMail", name: str) -> dict[str, bytes]:
    """Of a folder, or ("") of the account. Raises NoFolder, StoreUnavailable."""

    async def work(tx: Transaction) -> dict[str, bytes]:
        folder = await _folder(tx, mail, name)
        return (await annotations.all_of(tx, mail.account_id, folder)).get(folder, {})

    return await mail.database.read(work)


async def read_all(mail: "AccountMail") -> dict[int, dict[str, bytes]]:
    """Of every folder, by its id. Raises StoreUnavailable."""

    async def work(tx: Transaction) -> dict[int, dict[str, bytes]]:
        return await annotations.all_of(tx, mail.account_id, None)

    return await mail.database.read(work)


async def change(mail: "AccountMail", name: str, values: Mapping[str, bytes | None]) -> None:
    """Set values, all or none; None removes. Raises NoFolder, TooManyNotes, StoreUnavailable."""

    async def work(tx: Transaction) -> None:
        await lock(tx, mail)
        await annotations.change(tx, mail.account_id, await _folder(tx, mail, name), values)
        if await annotations.count(tx, mail.account_id) > MAX_ANNOTATIONS:
            raise TooManyNotes("there are too many annotations")

    await mail.database.write(work)
