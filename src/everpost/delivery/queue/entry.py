"""Which entries of the queue travel together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from everpost.store.sql.queue import QueueRow

# RFC 5321 section 4.5.3.1.8: a server must take at least 100 recipients.
MAX_RECIPIENTS = 100


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
