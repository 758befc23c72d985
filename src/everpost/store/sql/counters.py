"""Table `mail_account`: an account's modseq and totals, and by its row the account's write lock."""

from typing import NamedTuple

from everpost.core.ids import AccountId, ModSeq
from everpost.store.ports import Transaction


class Usage(NamedTuple):
    """What an account holds."""

    bytes: int
    messages: int
    modseq: int


async def create(tx: Transaction, account: AccountId) -> None:
    """Make the row if it is not there."""
    await tx.execute(
        """INSERT INTO mail_account (account_id, modseq, bytes, messages, last_validity)
           VALUES ($1, 1, 0, 0, 0) ON CONFLICT (account_id) DO NOTHING""",
        account,
    )


async def lock(tx: Transaction, account: AccountId) -> ModSeq | None:
    """Take the account's write lock and its next modseq; None if the account has no mail here."""
    value = await tx.value(
        "UPDATE mail_account SET modseq = modseq + 1 WHERE account_id = $1 RETURNING modseq", account
    )
    return None if value is None else ModSeq(value)


async def lock_for(tx: Transaction, account: AccountId, size: int, quota: int, messages: int = 1) -> ModSeq | None:
    """Like `lock`, and count `messages` of `size` bytes in all; None also if that is over `quota` (0: none)."""
    value = await tx.value(
        """UPDATE mail_account SET modseq = modseq + 1, bytes = bytes + $2, messages = messages + $4
           WHERE account_id = $1 AND ($3 = 0 OR bytes + $2 <= $3) RETURNING modseq""",
        account,
        size,
        quota,
        messages,
    )
    return None if value is None else ModSeq(value)


async def add(tx: Transaction, account: AccountId, size: int, messages: int) -> None:
    """Change the totals; the caller holds the lock."""
    await tx.execute(
        "UPDATE mail_account SET bytes = bytes + $2, messages = messages + $3 WHERE account_id = $1",
        account,
        size,
        messages,
    )


async def usage(tx: Transaction, account: AccountId) -> Usage | None:
    """The totals; None if the account has no mail here."""
    row = await tx.row("SELECT bytes, messages, modseq FROM mail_account WHERE account_id = $1", account)
    return None if row is None else Usage(*row)


async def next_validity(tx: Transaction, account: AccountId, now_seconds: int) -> int:
    """A UIDVALIDITY never used before in this account (RFC 9051 section 2.3.1.1); at least the time."""
    value = await tx.value(
        """UPDATE mail_account
           SET last_validity = CASE WHEN last_validity >= $2 THEN last_validity + 1 ELSE $2 END
           WHERE account_id = $1 RETURNING last_validity""",
        account,
        now_seconds,
    )
    return int(value)


async def delete(tx: Transaction, account: AccountId) -> None:
    """Remove the row; the folders must be gone already."""
    await tx.execute("DELETE FROM mail_account WHERE account_id = $1", account)
