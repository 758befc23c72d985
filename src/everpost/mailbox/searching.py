"""Finding messages by IMAP's criteria: what the index knows first, summaries and headers next, whole messages last.

A criterion is decided in three values: yes, no, and not yet. Each stage loads more and asks again, for those
messages only that are still undecided. Before messages are read whole, their signatures tell which of them
cannot have a wanted text (see `narrowing`); those that remain are asked themselves.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from everpost.mailbox import criteria
from everpost.mailbox.criteria import Criterion, Text
from everpost.mailbox.deciding import SUMMARISED, Known, Question, Whole
from everpost.mailbox.narrowing import Answers, Wanted
from everpost.message.part import unpack
from everpost.message.signature import fold
from everpost.store.ports import Transaction
from everpost.store.sql import contents

if TYPE_CHECKING:
    from everpost.mailbox.view import View

# Messages are loaded whole so many or so many bytes at a time.
_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024
# More messages than this are decided off the event loop.
_THREAD = 500


async def search(view: "View", criterion: Criterion) -> list[int]:
    """See View.search."""
    uids = view.uids
    rows = view.rows(uids)
    question = Question(
        criterion,
        int(view.mail.clock.now() * 1000),
        view.recent_from,
        _spans(criterion, uids[-1] if uids else 0, len(uids)),
    )
    texts = list(dict.fromkeys(node for node in _walk(criterion) if isinstance(node, Text)))
    places: Iterable[int] = range(len(rows))
    if texts:
        # Where nothing but text is asked for, no other stage makes the number of signatures smaller.
        answers = await _sift(view, question, texts, range(len(rows)), load=_asks_for_text_only(criterion))
        places = np.flatnonzero(_possible(criterion, answers, len(rows))).tolist()
    known = [Known(rows[place], place + 1) for place in places]
    found: list[int] = []
    open_ = await _decide(question, known, found)
    if open_ and texts and not _asks_for_text_only(criterion):
        await _sift(view, question, texts, [each.sequence - 1 for each in open_], load=True)
        open_ = await _decide(question, open_, found)
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
    for batch in _batches(open_):
        stored = await _load(view, batch)
        await asyncio.to_thread(_decide_whole, question, batch, stored, found)
    if question.learnt:
        _learn(view, question)
    found.sort()
    return found


async def _sift(
    view: "View", question: Question, texts: Sequence[Text], places: Sequence[int], *, load: bool
) -> dict[Criterion, Answers]:
    """Put into `question.answers` what signatures say of the messages at these places; return it as arrays."""
    uids = view.uids
    rows = view.rows(uids) if isinstance(places, range) else view.rows([uids[place] for place in places])
    sifted = await view.mail.mailboxes.signatures.sift(
        view.mail.database,
        view.index.folder_id,
        len(uids),
        [row.content_id for row in rows],
        [_wanted(text) for text in texts],
        load=load,
    )
    result: dict[Criterion, Answers] = {}
    for text, answers in zip(texts, sifted, strict=True):
        if len(places) < len(uids):
            everywhere = np.frombuffer(question.answers[text], np.uint8).copy()
            everywhere[places] = answers
            answers = everywhere
        question.answers[text] = answers.tobytes()
        result[text] = answers
    return result


def _wanted(text: Text) -> Wanted:
    return fold(text.text), text.body_only


def _learn(view: "View", question: Question) -> None:
    table = view.mail.mailboxes.signatures.table(view.index.folder_id, len(view.uids))
    for node, found in question.learnt.items():
        assert isinstance(node, Text)
        table.learn(_wanted(node), found)


def _possible(node: Criterion, answers: dict[Criterion, Answers], count: int) -> npt.NDArray[np.bool_]:
    """By place: False for messages that cannot match because of the texts in the criterion."""
    result: npt.NDArray[np.bool_]
    match node:
        case criteria.Text():
            result = answers[node] > 0
            return result
        case criteria.And(parts):
            result = np.ones(count, np.bool_)
            for part in parts:
                result &= _possible(part, answers, count)
            return result
        case criteria.Or(parts):
            result = np.zeros(count, np.bool_)
            for part in parts:
                result |= _possible(part, answers, count)
            return result
        case _:
            return np.ones(count, np.bool_)


async def _decide(question: Question, known: Sequence[Known], found: list[int]) -> list[Known]:
    if len(known) > _THREAD:
        return await asyncio.to_thread(question.decide, known, found)
    return question.decide(known, found)


def _batches(known: Sequence[Known]) -> Iterator[list[Known]]:
    batch: list[Known] = []
    size = 0
    for each in known:
        batch.append(each)
        size += each.row.size
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch = []
            size = 0
    if batch:
        yield batch


Stored = tuple[bytes, int, int, bytes, bytes]
"""Structure, size, coding, header, stored body."""


async def _load(view: "View", known: Sequence[Known]) -> dict[int, Stored]:
    """The messages by content id; those that are gone are left out."""
    ids = list({each.row.content_id for each in known})

    async def work(tx: Transaction) -> Sequence[tuple[Any, ...]]:
        return await contents.whole_of(tx, ids)

    loaded: dict[int, Stored] = {}
    for content_id, structure, size, coding, blob_key, header, body in await view.mail.database.read(work, heavy=True):
        stored = await view.mail.contents.blobs.get(blob_key) if blob_key else body or b""
        loaded[content_id] = (structure, size, coding, header, stored)
    return loaded


def _decide_whole(question: Question, known: Iterable[Known], loaded: dict[int, Stored], found: list[int]) -> None:
    for each in known:
        stored = loaded.get(each.row.content_id)
        if stored is None:
            continue
        structure, size, coding, header, body = stored
        root = unpack(structure)
        each.whole = Whole(root, size, coding, header, body)
        if each.header is None:
            each.header = header if len(header) == root.body_start else each.whole.raw[: root.body_start]
        left = question.decide((each,), found)
        assert not left
        # Let go of at once: a batch's decoded texts together may be large.
        each.whole = None


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


def _asks_for_text_only(criterion: Criterion) -> bool:
    return all(
        isinstance(node, criteria.Text | criteria.And | criteria.Or | criteria.Not | criteria.All)
        for node in _walk(criterion)
    )


def _needs_summary(criterion: Criterion) -> bool:
    return any(
        (isinstance(node, criteria.Header) and bool(node.text) and node.name.lower() in SUMMARISED)
        or (isinstance(node, criteria.Before | criteria.On | criteria.Since) and node.sent)
        for node in _walk(criterion)
    )


def _needs_header(criterion: Criterion) -> bool:
    return any(
        isinstance(node, criteria.Header) and not (node.text and node.name.lower() in SUMMARISED)
        for node in _walk(criterion)
    )
