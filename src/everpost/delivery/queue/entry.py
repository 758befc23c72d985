"""Entries of the queue: how they are made, and which of them travel together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from everpost.core.address import Address
from everpost.core.clock import milliseconds
from everpost.core.ids import TenantId
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.queue.retry import Schedule
from everpost.store.sql.queue import NewEntry, QueueRow

# RFC 5321 section 4.5.3.1.8: a server must take at least 100 recipients.
MAX_RECIPIENTS = 100


def new_entry(
    sender: Sender,
    recipient: Recipient,
    target: Address,
    now: float,
    schedule: Schedule,
    *,
    tenant: TenantId | None,
    forwarded_by: str = "",
    notify: str | None = None,
) -> NewEntry:
    """An entry that sends to `target` at once. `now` is in unix seconds.

    A forwarded message keeps the sender's reverse-path and its wishes for notices (RFC 3461 section 5.2.7);
    rewriting the reverse-path for SPF's sake belongs to the issue about mail authentication.
    """
    created_at = milliseconds(now)
    return NewEntry(
        tenant_id=tenant,
        account_id=sender.account,
        destination=target.ascii_domain,
        reverse_path=sender.path,
        recipient=str(target),
        forwarded_by=forwarded_by,
        notify=recipient.notify if notify is None else notify,
        orcpt=recipient.orcpt,
        ret=sender.ret,
        envid=sender.envid,
        smtputf8=int(sender.smtputf8),
        created_at=created_at,
        due_at=created_at,
        expires_at=created_at + milliseconds(schedule.lifetime),
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that one transaction with one host can serve: same content, destination and envelope."""

    rows: tuple[QueueRow, ...]

    @property
    def first(self) -> QueueRow:
        """Any of them, for what they share."""
        return self.rows[0]


def groups(rows: Sequence[QueueRow]) -> Iterable[Group]:
    """Put together what can travel together, at most MAX_RECIPIENTS at a time, in the order given."""
    together: dict[tuple[object, ...], list[QueueRow]] = {}
    for row in rows:
        key = (row.content_id, row.destination, row.reverse_path, row.forwarded_by, row.ret, row.envid, row.smtputf8)
        together.setdefault(key, []).append(row)
    for members in together.values():
        for start in range(0, len(members), MAX_RECIPIENTS):
            yield Group(tuple(members[start : start + MAX_RECIPIENTS]))
