"""Leases with fencing tokens: work that one worker in the cluster may do at a time.

A lease ends by itself, so the work of a dead worker is free again after at most its length. Whoever
writes on the strength of a lease hands its `fence` along: a woken sleeper then cannot undo its successor's
work, because its number is lower.
"""

from dataclasses import dataclass

from everpost.core.clock import Clock, milliseconds
from everpost.store.ports import Database


@dataclass(slots=True)
class Lease:
    """A name held until `until_at` (unix milliseconds)."""

    leases: "Leases"
    name: str
    fence: int
    until_at: int

    async def renew(self, seconds: float) -> bool:
        """Hold it for `seconds` from now; False if it was lost."""
        until = milliseconds(self.leases.clock.now() + seconds)
        rows = await self.leases.database.statement(
            "UPDATE lease SET until_at = $3 WHERE name = $1 AND fence = $2 RETURNING name", self.name, self.fence, until
        )
        if rows:
            self.until_at = until
        return bool(rows)

    async def release(self) -> None:
        """Let go; does nothing if it was lost. The fence is kept, so that it never goes back."""
        await self.leases.database.statement(
            "UPDATE lease SET until_at = 0 WHERE name = $1 AND fence = $2", self.name, self.fence
        )


class Leases:
    """Takes leases for one owner (a worker)."""

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self.database = database
        self.clock = clock
        self.owner = owner

    async def acquire(self, name: str, seconds: float) -> Lease | None:
        """Take `name` for `seconds`; None if somebody holds it. Raises StoreUnavailable."""
        now = self.clock.now()
        until = milliseconds(now + seconds)
        rows = await self.database.statement(
            """INSERT INTO lease (name, owner, until_at, fence) VALUES ($1, $2, $3, 1)
               ON CONFLICT (name) DO UPDATE
               SET owner = excluded.owner, until_at = excluded.until_at, fence = lease.fence + 1
               WHERE lease.until_at <= $4
               RETURNING fence""",
            name,
            self.owner,
            until,
            milliseconds(now),
        )
        return Lease(self, name, rows[0][0], until) if rows else None
