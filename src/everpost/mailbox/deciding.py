"""Whether one message meets a criterion, by what has been loaded of it: yes, no, or not yet."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import assert_never

from everpost.mailbox import criteria
from everpost.mailbox import flags as flag_names
from everpost.mailbox.content import assemble
from everpost.mailbox.criteria import Criterion
from everpost.mailbox.narrowing import BODY, HEADER, YES
from everpost.message import words
from everpost.message.fields import Fields
from everpost.message.part import Part
from everpost.message.signature import body_texts, fold, header_text
from everpost.message.summary import Summary
from everpost.store.sql.messages import MessageRow

_EPOCH_DAY = date(1970, 1, 1).toordinal()

# Header fields whose decoded text the summary has.
SUMMARISED: dict[str, Callable[[Summary], str]] = {
    "subject": lambda summary: summary.subject,
    "from": lambda summary: summary.from_,
    "to": lambda summary: summary.to,
    "cc": lambda summary: summary.cc,
}


@dataclass(slots=True)
class Whole:
    """A message read whole, unpacked and decoded only as far as a question needs."""

    root: Part
    size: int
    coding: int
    header: bytes
    stored: bytes
    _raw: bytes | None = None
    _headers: bytes | None = None
    _coming: Iterator[bytes] | None = None
    _texts: list[bytes] = field(default_factory=list)

    @property
    def raw(self) -> bytes:
        """The message. Raises Broken."""
        if self._raw is None:
            self._raw = assemble(self.size, self.coding, self.header, self.stored)
        return self._raw

    def holds(self, wanted: bytes, where: int) -> bool:
        """Whether this folded text is in the body, the headers, or either, as `where` says."""
        return bool((where & HEADER and wanted in self._all_headers()) or (where & BODY and self._in_body(wanted)))

    def _all_headers(self) -> bytes:
        if self._headers is None:
            alone = not self.root.children and len(self.header) == self.root.body_start
            self._headers = header_text(self.header if alone else self.raw, self.root)
        return self._headers

    def _in_body(self, wanted: bytes) -> bool:
        if any(wanted in text for text in self._texts):
            return True
        if self._coming is None:
            self._coming = body_texts(self.raw, self.root)
        for text in self._coming:
            self._texts.append(text)
            if wanted in text:
                return True
        # Between one part and the next stands a line feed.
        return b"\n" in wanted and wanted in b"\n".join(self._texts)


@dataclass(slots=True)
class Known:
    """What has been loaded of a message."""

    row: MessageRow
    sequence: int
    summary: Summary | None = None
    header: bytes | None = None
    fields: Fields | None = None
    whole: Whole | None = None


@dataclass(slots=True)
class Question:
    """A criterion with what it depends on."""

    criterion: Criterion
    now_ms: int
    recent_from: int
    spans: dict[int, list[tuple[int, int]]]
    """Ranges resolved, by the identity of their node."""
    answers: dict[Criterion, bytes] = field(default_factory=dict)
    """By Text node: the answer (see `narrowing`) of each message, by its sequence number less one."""
    learnt: dict[Criterion, list[tuple[int, bool]]] = field(default_factory=dict)
    """By Text node: what whole messages answered, by content id."""

    def decide(self, known: Iterable[Known], found: list[int]) -> list[Known]:
        """Add the UIDs of those that match to `found`; return the undecided."""
        undecided = []
        for each in known:
            match ask(self.criterion, each, self):
                case True:
                    found.append(each.row.uid)
                case None:
                    undecided.append(each)
                case False:
                    pass
        return undecided


def ask(node: Criterion, each: Known, question: Question) -> bool | None:
    row = each.row
    match node:
        case criteria.All():
            return True
        case criteria.And(parts):
            return _all(parts, each, question)
        case criteria.Or(parts):
            return _any(parts, each, question)
        case criteria.Not(part):
            answer = ask(part, each, question)
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
            answers = question.answers.get(node)
            # Where in the answers a message stands is its sequence number.
            where = (BODY if body_only else BODY | HEADER) if answers is None else answers[each.sequence - 1]
            if where in {0, YES}:
                return where == YES
            if each.whole is None:
                return None
            holds = each.whole.holds(fold(text), where)
            question.learnt.setdefault(node, []).append((row.content_id, holds))
            return holds
        case _:
            assert_never(node)


def _all(parts: Sequence[Criterion], each: Known, question: Question) -> bool | None:
    result: bool | None = True
    for part in parts:
        answer = ask(part, each, question)
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def _any(parts: Sequence[Criterion], each: Known, question: Question) -> bool | None:
    result: bool | None = False
    for part in parts:
        answer = ask(part, each, question)
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


def _dated(each: Known, *, sent: bool, test: Callable[[date], bool]) -> bool | None:
    if not sent:
        return test(datetime.fromtimestamp(each.row.internal_at / 1000, UTC).date())
    if each.summary is None:
        # Gone, or not loaded yet.
        return None if each.header is None else False
    return each.summary.sent_day is not None and test(date.fromordinal(each.summary.sent_day + _EPOCH_DAY))


def _has_header(each: Known, name: str, text: str) -> bool | None:
    if text and each.summary is not None and name.lower() in SUMMARISED:
        return fold(text) in fold(SUMMARISED[name.lower()](each.summary))
    fields = _fields(each)
    if fields is None:
        return None
    if not text:
        return name in fields
    wanted = fold(text)
    return any(wanted in fold(words.decode(value)) for value in fields.all(name))


def _fields(each: Known) -> Fields | None:
    if each.fields is None and each.header is not None:
        each.fields = Fields(each.header)
    return each.fields
