"""Reading what is stored of messages: forms made at delivery, headers, whole messages."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from everpost.core.ids import ContentId
from everpost.mailbox.content import MAX_HEADER
from everpost.message.parse import parse
from everpost.message.summary import Summary
from everpost.message.summary import unpack as unpack_summary
from everpost.store.ports import Transaction
from everpost.store.sql import contents
from everpost.store.sql.messages import MessageRow

if TYPE_CHECKING:
    from everpost.mailbox.account import AccountMail

# More contents than this are read off the event loop.
HEAVY = 200
# Statements ask for this many contents at a time.
_BATCH = 5_000


class Forms(NamedTuple):
    """What was computed once, at delivery."""

    envelope: bytes
    bodystructure: bytes
    structure: bytes
    """`message.parse.unpack` gives the part tree with offsets."""
    trace_id: str


class RawCache:
    """The last messages read whole, for clients that fetch one in pieces. Bounded in bytes."""

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max = max_bytes
        self._held = 0
        self._messages: OrderedDict[int, bytes] = OrderedDict()

    def get(self, content_id: int) -> bytes | None:
        raw = self._messages.get(content_id)
        if raw is not None:
            self._messages.move_to_end(content_id)
        return raw

    def put(self, content_id: int, raw: bytes) -> None:
        if len(raw) > self._max // 2 or content_id in self._messages:
            return
        self._messages[content_id] = raw
        self._held += len(raw)
        while self._held > self._max:
            _, old = self._messages.popitem(last=False)
            self._held -= len(old)


async def _by_content(
    mail: "AccountMail", rows: Sequence[MessageRow], read: contents.Reader
) -> dict[int, tuple[Any, ...]]:
    """The columns that `read` reads, by content id."""
    ids = list({row.content_id for row in rows})

    async def work(tx: Transaction) -> dict[int, tuple[Any, ...]]:
        found: dict[int, tuple[Any, ...]] = {}
        for start in range(0, len(ids), _BATCH):
            for values in await read(tx, ids[start : start + _BATCH]):
                found[values[0]] = values
        return found

    return await mail.database.read(work, heavy=len(ids) > HEAVY)


async def forms(mail: "AccountMail", rows: Sequence[MessageRow]) -> dict[int, Forms]:
    """By UID; contents that are gone are left out."""
    found = await _by_content(mail, rows, contents.forms)
    return {row.uid: Forms(*found[row.content_id][1:]) for row in rows if row.content_id in found}


async def envelopes(mail: "AccountMail", rows: Sequence[MessageRow]) -> dict[int, bytes]:
    """By UID."""
    found = await _by_content(mail, rows, contents.envelopes)
    return {row.uid: found[row.content_id][1] for row in rows if row.content_id in found}


async def summaries(mail: "AccountMail", rows: Sequence[MessageRow]) -> dict[int, Summary]:
    """By UID."""
    found = await _by_content(mail, rows, contents.summaries)
    return {row.uid: unpack_summary(found[row.content_id][1]) for row in rows if row.content_id in found}


async def headers(mail: "AccountMail", rows: Sequence[MessageRow]) -> dict[int, bytes]:
    """By UID."""
    found = await _by_content(mail, rows, contents.headers)
    headers = {row.uid: found[row.content_id][1] for row in rows if row.content_id in found}
    for row in rows:
        if len(headers.get(row.uid, b"")) == MAX_HEADER:
            whole = await raw(mail, row.content_id)
            if whole is not None:
                headers[row.uid] = whole[: parse(whole).root.body_start]
    return headers


async def raw(mail: "AccountMail", content_id: int) -> bytes | None:
    """The whole message; None if it is gone."""
    cached = mail.raw_cache.get(content_id)
    if cached is not None:
        return cached

    async def work(tx: Transaction) -> tuple[int, int, str | None, bytes, bytes | None] | None:
        return await contents.whole(tx, ContentId(content_id))

    row = await mail.database.read(work)
    if row is None:
        return None
    message = await mail.contents.unpack(*row)
    mail.raw_cache.put(content_id, message)
    return message
