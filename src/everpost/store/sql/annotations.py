"""Table `annotation`: what clients note about folders and the account (RFC 5464)."""

from collections.abc import Mapping

from everpost.core.ids import AccountId
from everpost.store.ports import Transaction


async def all_of(tx: Transaction, account: AccountId, folder: int | None) -> dict[int, dict[str, bytes]]:
    """By folder id (0: the account itself), names and values; of one folder, or (None) of all."""
    if folder is None:
        rows = await tx.fetch("SELECT folder_id, name, value FROM annotation WHERE account_id = $1", account)
    else:
        rows = await tx.fetch(
            "SELECT folder_id, name, value FROM annotation WHERE account_id = $1 AND folder_id = $2", account, folder
        )
    found: dict[int, dict[str, bytes]] = {}
    for folder_id, name, value in rows:
        found.setdefault(folder_id, {})[name] = bytes(value)
    return found


async def count(tx: Transaction, account: AccountId) -> int:
    return int(await tx.value("SELECT count(*) FROM annotation WHERE account_id = $1", account))


async def change(tx: Transaction, account: AccountId, folder: int, values: Mapping[str, bytes | None]) -> None:
    """Set values; None removes. The caller holds the account's lock."""
    for name, value in sorted(values.items()):
        if value is None:
            await tx.execute(
                "DELETE FROM annotation WHERE account_id = $1 AND folder_id = $2 AND name = $3", account, folder, name
            )
        else:
            await tx.execute(
                """INSERT INTO annotation (account_id, folder_id, name, value) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (account_id, folder_id, name) DO UPDATE SET value = excluded.value""",
                account,
                folder,
                name,
                value,
            )


async def forget(tx: Transaction, account: AccountId) -> None:
    """The account is going."""
    await tx.execute("DELETE FROM annotation WHERE account_id = $1", account)
