"""Table `queue_entry`: what is still to be sent, one row per recipient, and who may send it now.

Locks are taken in the order entry, account, folder, content.
"""

from collections.abc import Sequence
from typing import NamedTuple

from everpost.core.ids import ContentId
from everpost.store.ports import Transaction

WAITING = "waiting"
HELD = "held"


class NewEntry(NamedTuple):
    """A recipient to be sent to. Times in unix milliseconds; empty text where nothing was given."""

    tenant_id: int | None
    account_id: int | None
    """The account that submitted the message; None for forwards and notices."""
    destination: str
    """The domain (A-labels, lower case) or address literal the entry goes to."""
    reverse_path: str
    recipient: str
    forwarded_by: str
    """The hosted address that forwards to `recipient`; empty if the sender named the recipient."""
    notify: str
    orcpt: str
    ret: str
    envid: str
    smtputf8: int
    created_at: int
    due_at: int
    expires_at: int


class QueueRow(NamedTuple):
    """An entry as stored."""

    queue_id: int
    content_id: int
    state: str
    tenant_id: int | None
    account_id: int | None
    destination: str
    reverse_path: str
    recipient: str
    forwarded_by: str
    notify: str
    orcpt: str
    ret: str
    envid: str
    smtputf8: int
    created_at: int
    due_at: int
    expires_at: int
    warned_at: int | None
    attempts: int
    last_at: int | None
    last_reply: str
    lease_owner: str
    lease_until: int
    fence: int


_COLUMNS = ", ".join(QueueRow._fields)

_INSERT = f"""INSERT INTO queue_entry (content_id, {", ".join(NewEntry._fields)}, state, attempts, last_reply,
                                       lease_owner, lease_until, fence)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'waiting', 0, '', '', 0, 0)"""  # noqa: S608

# One of the few places where the engines differ: PostgreSQL steps over rows that another worker is claiming.
_CLAIM = f"""WITH due AS MATERIALIZED (
                 SELECT queue_id FROM queue_entry
                 WHERE state = 'waiting' AND due_at <= $3 AND lease_until <= $3 AND NOT (destination IN WORDS($5))
                 ORDER BY due_at LIMIT $4 /*lock*/
             )
             UPDATE queue_entry SET lease_owner = $1, lease_until = $2, fence = fence + 1
             WHERE queue_id IN (SELECT queue_id FROM due) RETURNING {_COLUMNS}"""  # noqa: S608
_CLAIM_POSTGRES = _CLAIM.replace("/*lock*/", "FOR UPDATE SKIP LOCKED")


async def insert(tx: Transaction, content: ContentId, entries: Sequence[NewEntry]) -> None:
    """Add entries; the caller counts their references to the content."""
    await tx.many(_INSERT, [(content, *entry) for entry in entries])


async def claim(
    tx: Transaction, owner: str, now: int, lease_until: int, limit: int, busy: Sequence[str] = ()
) -> list[QueueRow]:
    """Take up to `limit` due entries whose lease is free until `lease_until`, none for a destination in `busy`."""
    sql = _CLAIM_POSTGRES if tx.dialect == "postgres" else _CLAIM
    return [QueueRow(*row) for row in await tx.fetch(sql, owner, lease_until, now, limit, list(busy))]


async def renew(tx: Transaction, owner: str, ids: Sequence[int], until: int) -> dict[int, int]:
    """Hold these entries until `until`; return queue_id -> fence of those that `owner` has.

    A lease is never shortened: this may arrive late, when the same owner has claimed an entry anew.
    """
    rows = await tx.fetch(
        "UPDATE queue_entry SET lease_until = CASE WHEN lease_until > $3 THEN lease_until ELSE $3 END "
        "WHERE queue_id IN MANY($2) AND lease_owner = $1 RETURNING queue_id, fence",
        owner,
        ids,
        until,
    )
    return {row[0]: row[1] for row in rows}


async def give_back(tx: Transaction, claims: Sequence[tuple[int, int]]) -> None:
    """Let others have entries at once, (queue_id, fence) each; those claimed anew since stay as they are."""
    await tx.many(
        "UPDATE queue_entry SET lease_owner = '', lease_until = 0 WHERE queue_id = $1 AND fence = $2", sorted(claims)
    )


async def next_due(tx: Transaction, now: int, busy: Sequence[str] = ()) -> int | None:
    """When the next entry falls due that nobody holds `now` (unix milliseconds); None if there is none."""
    value = await tx.value(
        """SELECT due_at FROM queue_entry
           WHERE state = 'waiting' AND lease_until <= $1 AND NOT (destination IN WORDS($2))
           ORDER BY due_at LIMIT 1""",
        now,
        list(busy),
    )
    return None if value is None else int(value)


async def finish(tx: Transaction, queue_id: int, fence: int) -> bool:
    """Remove a sent or failed entry; False, and nothing done, if the claim `fence` is over."""
    return bool(await tx.execute("DELETE FROM queue_entry WHERE queue_id = $1 AND fence = $2", queue_id, fence))


async def postpone(
    tx: Transaction, queue_id: int, fence: int, *, at: int, due_at: int, reply: str, warned_at: int | None
) -> bool:
    """After an attempt at `at` that may succeed later: try again at `due_at`. False as `finish`."""
    return bool(
        await tx.execute(
            """UPDATE queue_entry SET due_at = $3, attempts = attempts + 1, last_at = $4, last_reply = $5,
                                      warned_at = $6, lease_owner = '', lease_until = 0
               WHERE queue_id = $1 AND fence = $2""",
            queue_id,
            fence,
            due_at,
            at,
            reply,
            warned_at,
        )
    )


async def get(tx: Transaction, queue_id: int) -> QueueRow | None:
    """One entry."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM queue_entry WHERE queue_id = $1", queue_id)  # noqa: S608
    return None if row is None else QueueRow(*row)


async def page(
    tx: Transaction, *, after: int, limit: int, destination: str | None, state: str | None, tenant: int | None
) -> list[QueueRow]:
    """Entries by id from `after` (exclusive); None does not restrict."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM queue_entry
            WHERE queue_id > $1 AND (destination = $3 OR $3 = '') AND (state = $4 OR $4 = '')
              AND (tenant_id = $5 OR $5 = 0) ORDER BY queue_id LIMIT $2""",  # noqa: S608
        after,
        limit,
        destination or "",
        state or "",
        tenant or 0,
    )
    return [QueueRow(*row) for row in rows]


async def counts(tx: Transaction) -> list[tuple[str, str, int, int]]:
    """(destination, state, entries, created_at of the oldest) of everything in the queue."""
    rows = await tx.fetch(
        "SELECT destination, state, COUNT(*), MIN(created_at) FROM queue_entry "
        "GROUP BY destination, state ORDER BY COUNT(*) DESC, destination LIMIT 1000"
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def set_state(tx: Transaction, ids: Sequence[int], state: str) -> list[int]:
    """Hold entries or let them go; the ids that were there. An attempt that is running goes on, and counts."""
    rows = await tx.fetch("UPDATE queue_entry SET state = $2 WHERE queue_id IN MANY($1) RETURNING queue_id", ids, state)
    return [row[0] for row in rows]


async def make_due(tx: Transaction, ids: Sequence[int], now: int) -> list[int]:
    """Let entries go at once, even expired ones for one more attempt; the ids that were there."""
    rows = await tx.fetch(
        """UPDATE queue_entry SET state = 'waiting', due_at = $2,
                                  expires_at = CASE WHEN expires_at < $2 THEN $2 ELSE expires_at END
           WHERE queue_id IN MANY($1) RETURNING queue_id""",
        ids,
        now,
    )
    return [row[0] for row in rows]


async def take(tx: Transaction, ids: Sequence[int], now: int) -> list[QueueRow]:
    """Remove these entries whatever their state, except those being sent now; return what was removed."""
    rows = await tx.fetch(
        f"DELETE FROM queue_entry WHERE queue_id IN MANY($1) AND lease_until <= $2 RETURNING {_COLUMNS}",  # noqa: S608
        ids,
        now,
    )
    return [QueueRow(*row) for row in rows]
