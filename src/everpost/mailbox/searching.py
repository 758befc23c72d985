"""Finding messages by IMAP's criteria: what the index knows first, summaries and headers next, whole messages last.

A criterion is decided in three values: yes, no, and not yet. Each stage loads more and asks again, for those
messages only that are still undecided.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, assert_never

from everpost.mailbox import criteria
from everpost.mailbox import flags as flag_names
from everpost.mailbox.criteria import Criterion
from everpost.message import words
from everpost.message.fields import Fields
from everpost.message.part import unpack
from everpost.message.summary import Summary
from everpost.message.text import embedded_headers, leaves, part_text
from everpost.store.ports import Transaction
from everpost.store.sql import contents
from everpost.store.sql.messages import MessageRow

if TYPE_CHECKING:
    from everpost.mailbox.view import View

# Messages are loaded whole so many at a time.
_BATCH = 64
# More messages than this are decided off the event loop.
_THREAD = 500


_EPOCH_DAY = date(1970, 1, 1).toordinal()

# Header fields whose decoded text the summary has.
_SUMMARISED: dict[str, Callable[[Summary], str]] = {
    "subject": lambda summary: summary.subject,
    "from": lambda summary: summary.from_,
    "to": lambda summary: summary.to,
    "cc": lambda summary: summary.cc,
}


@dataclass(slots=True)
class _Known:
    """What has been loaded of a message."""

    row: MessageRow
    sequence: int
    summary: Summary | None = None
    header: bytes | None = None
    fields: Fields | None = None
    text: str | None = None
    """Decoded text of the body, folded."""
    headers: str | None = None
    """All headers, folded."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A criterion with what it depends on."""

    criterion: Criterion
    now_ms: int
    recent_from: int
    spans: dict[int, list[tuple[int, int]]]
    """Ranges resolved, by the identity of their node."""


async def search(view: "View", criterion: Criterion) -> list[int]:
    """See View.search."""
    uids = view.uids
    question = _Question(
        criterion,
        int(view.mail.clock.now() * 1000),
        view.recent_from,
        _spans(criterion, uids[-1] if uids else 0, len(uids)),
    )
    known = [_Known(row, place + 1) for place, row in enumerate(view.rows(uids))]
    found: list[int] = []
    open_ = await _decide(question, known, found)
    if open_ and _needs_summary(criterion):
        summaries = await view.summaries([each.row.uid for each in open_])
        for each in open_:
            each.summary = summaries.get(each.row.uid)
        open_ = await _decide(question, open_, found)
    if open_ and _needs_header(criterion):
        headers = await view.headers([each.row.uid for each in open_])
        for each in open_:
            each.header = headers.get(each.row.uid, b"")
        open_ = await _decide(question, open_, found)
    for start in range(0, len(open_), _BATCH):
        batch = await _load(view, open_[start : start + _BATCH])
        left = await asyncio.to_thread(_decide_now, question, batch, found)
        assert not left
    found.sort()
    return found


async def _decide(question: _Question, known: Sequence[_Known], found: list[int]) -> list[_Known]:
    if len(known) > _THREAD:
        return await asyncio.to_thread(_decide_now, question, known, found)
    return _decide_now(question, known, found)


def _decide_now(question: _Question, known: Iterable[_Known], found: list[int]) -> list[_Known]:
    """Add the UIDs of those that match to `found`; return the undecided."""
    undecided = []
    for each in known:
        match _ask(question.criterion, each, question):
            case True:
                found.append(each.row.uid)
            case None:
                undecided.append(each)
            case False:
                pass
    return undecided


async def _load(view: "View", known: Sequence[_Known]) -> list[_Known]:
    """Load the messages whole; those that are gone are left out."""
    ids = [each.row.content_id for each in known]

    async def work(tx: Transaction) -> dict[int, tuple[bytes, tuple[int, int, str | None, bytes, bytes | None]]]:
        return {row[0]: (row[1], row[2:]) for row in await contents.whole_of(tx, ids)}

    rows = await view.mail.database.read(work, heavy=True)
    loaded = []
    for each in known:
        if each.row.content_id not in rows:
            continue
        structure, stored = rows[each.row.content_id]
        raw = await view.mail.contents.unpack(*stored)
        await asyncio.to_thread(_read, each, raw, structure)
        loaded.append(each)
    return loaded


def _read(each: _Known, raw: bytes, structure: bytes) -> None:
    part = unpack(structure)
    each.header = each.header or raw[: part.body_start]
    each.text = _fold("\n".join(part_text(raw, leaf) for leaf in leaves(part)))
    each.headers = _fold("\n".join(words.decode(header) for header in (each.header, *embedded_headers(raw, part))))


def _fold(text: str) -> str:
    return text.casefold()


def _ask(node: Criterion, each: _Known, question: _Question) -> bool | None:
    row = each.row
    match node:
        case criteria.All():
            return True
        case criteria.And(parts):
            return _all(parts, each, question)
        case criteria.Or(parts):
            return _any(parts, each, question)
        case criteria.Not(part):
            answer = _ask(part, each, question)
            return None if answer is None else not answer
        case criteria.Flag(name):
            return _has_flag(row, name)
        case criteria.Recent():
            return row.uid >= question.recent_from
        case criteria.Uids():
            return _within(row.uid, question.spans[id(node)])
        case criteria.Sequence():
            return _within(each.sequence, question.spans[id(node)])
        case criteria.Before(day, sent):
            return _dated(each, sent=sent, test=lambda found: found < day)
        case criteria.On(day, sent):
            return _dated(each, sent=sent, test=lambda found: found == day)
        case criteria.Since(day, sent):
            return _dated(each, sent=sent, test=lambda found: found >= day)
        case criteria.Larger(size):
            return row.size > size
        case criteria.Smaller(size):
            return row.size < size
        case criteria.ModSeqAtLeast(modseq):
            return row.modseq >= modseq
        case criteria.Older(seconds):
            return row.internal_at <= question.now_ms - seconds * 1000
        case criteria.Younger(seconds):
            return row.internal_at >= question.now_ms - seconds * 1000
        case criteria.Saved(since, last):
            saved = datetime.fromtimestamp(row.saved_at / 1000, UTC).date()
            return saved >= since and (last is None or saved <= last)
        case criteria.Content(content_id):
            return row.content_id == content_id
        case criteria.Header(name, text):
            return _has_header(each, name, text)
        case criteria.Text(text, body_only):
            if each.text is None or each.headers is None:
                return None
            wanted = _fold(text)
            return wanted in each.text or (not body_only and wanted in each.headers)
        case _:
            assert_never(node)


def _all(parts: Sequence[Criterion], each: _Known, question: _Question) -> bool | None:
    result: bool | None = True
    for part in parts:
        answer = _ask(part, each, question)
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def _any(parts: Sequence[Criterion], each: _Known, question: _Question) -> bool | None:
    result: bool | None = False
    for part in parts:
        answer = _ask(part, each, question)
        if answer:
            return True
        if answer is None:
            result = None
    return result


def _has_flag(row: MessageRow, name: str) -> bool:
    bit = flag_names.bit(name)
    if bit:
        return bool(row.flags & bit)
    return bool(row.keywords) and name.lower() in row.keywords.lower().split(" ")


def _within(number: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(low <= number <= high for low, high in spans)


def _dated(each: _Known, *, sent: bool, test: Callable[[date], bool]) -> bool | None:
    if not sent:
        return test(datetime.fromtimestamp(each.row.internal_at / 1000, UTC).date())
    if each.summary is None:
        # Gone, or not loaded yet.
        return None if each.header is None else False
    return each.summary.sent_day is not None and test(date.fromordinal(each.summary.sent_day + _EPOCH_DAY))


def _has_header(each: _Known, name: str, text: str) -> bool | None:
    if text and each.summary is not None and name.lower() in _SUMMARISED:
        return _fold(text) in _fold(_SUMMARISED[name.lower()](each.summary))
    fields = _fields(each)
    if fields is None:
        return None
    if not text:
        return name in fields
    wanted = _fold(text)
    return any(wanted in _fold(words.decode(value)) for value in fields.all(name))


def _fields(each: _Known) -> Fields | None:
    if each.fields is None and each.header is not None:
        each.fields = Fields(each.header)
    return each.fields


def _walk(node: Criterion) -> Iterable[Criterion]:
    yield node
    match node:
        case criteria.And(parts) | criteria.Or(parts):
            for part in parts:
                yield from _walk(part)
        case criteria.Not(part):
            yield from _walk(part)
        case _:
            pass


def _spans(criterion: Criterion, last_uid: int, count: int) -> dict[int, list[tuple[int, int]]]:
    spans = {}
    for node in _walk(criterion):
        match node:
            case criteria.Uids(ranges):
                spans[id(node)] = criteria.spans(ranges, last_uid)
            case criteria.Sequence(ranges):
                spans[id(node)] = criteria.spans(ranges, count)
            case _:
                pass
    return spans


def _needs_summary(criterion: Criterion) -> bool:
    return any(
        (isinstance(node, criteria.Header) and bool(node.text) and node.name.lower() in _SUMMARISED)
        or (isinstance(node, criteria.Before | criteria.On | criteria.Since) and node.sent)
        for node in _walk(criterion)
    )


def _needs_header(criterion: Criterion) -> bool:
    return any(
        isinstance(node, criteria.Header) and not (node.text and node.name.lower() in _SUMMARISED)
        for node in _walk(criterion)
    )
