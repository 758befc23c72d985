"""Table `credential`: what proves that somebody is an account's owner."""

from typing import NamedTuple

from everpost.store.ports import Transaction

PASSWORD = "password"  # noqa: S105 - a kind, not a secret
APP = "app"


class CredentialRow(NamedTuple):
    """A credential: a password has an argon2 hash and keys for SCRAM, an app password has a digest."""

    credential_id: int
    kind: str
    label: str
    argon2: str | None
    scram_salt: bytes | None
    scram_iterations: int | None
    scram_stored_key: bytes | None
    scram_server_key: bytes | None
    digest: bytes | None
    created_at: int
    expires_at: int | None = None

    def __repr__(self) -> str:
        return f"CredentialRow({self.credential_id}, {self.kind!r}, {self.label!r})"


async def of_account(tx: Transaction, account_id: int) -> list[CredentialRow]:
    """The password first, then app passwords by age."""
    rows = await tx.fetch(
        """SELECT credential_id, kind, label, argon2, scram_salt, scram_iterations, scram_stored_key,
                  scram_server_key, digest, created_at, expires_at
           FROM credential WHERE account_id = $1 ORDER BY kind DESC, credential_id""",
        account_id,
    )
    return [CredentialRow(*row) for row in rows]


async def add(tx: Transaction, account_id: int, row: CredentialRow) -> int:
    """Store a new credential; its `credential_id` is ignored."""
    value = await tx.value(
        """INSERT INTO credential (account_id, kind, label, argon2, scram_salt, scram_iterations,
                                   scram_stored_key, scram_server_key, digest, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING credential_id""",
        account_id,
        *row[1:],
    )
    return int(value)


async def delete_kind(tx: Transaction, account_id: int, kind: str) -> None:
    await tx.execute("DELETE FROM credential WHERE account_id = $1 AND kind = $2", account_id, kind)


async def delete(tx: Transaction, account_id: int, credential_id: int) -> bool:
    """Whether it was there."""
    return bool(
        await tx.execute(
            "DELETE FROM credential WHERE account_id = $1 AND credential_id = $2", account_id, credential_id
        )
    )
