"""Table `secret`: keys that all nodes share, made once by the first that needs them."""

from everpost.store.ports import Transaction


async def get_or_make(tx: Transaction, name: str, value: bytes, now: int) -> bytes:
    """The secret of that name; `value` becomes it if there is none."""
    await tx.execute(
        "INSERT INTO secret (name, value, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        name,
        value,
        now,
    )
    return bytes(await tx.value("SELECT value FROM secret WHERE name = $1", name))
