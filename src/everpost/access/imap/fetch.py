"""Answers FETCH: from the index and what was computed at delivery; message bytes are read only where needed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everpost.access.imap import columns, limit, sections, sync
from everpost.access.imap.outcome import ClientFault, Outcome, no, ok
from everpost.access.imap.selected import Chosen, Selected
from everpost.access.imap.vanished import tell_vanished
from everpost.access.imap.wire.grammar.fetch import Attribute, Binary, BinarySize, Body, Fetch, Item
from everpost.access.imap.wire.grammar.sets import NumberSet
from everpost.mailbox.criteria import Ranges
from everpost.mailbox.reading import Forms
from everpost.message.part import Part, unpack
from everpost.message.summary import Summary
from everpost.store.sql.messages import SEEN, MessageRow

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 3516, 5530, 7162, 9051, 9394, 9586)

# Messages answered between two looks at the output: from the index, from forms or headers, with bodies.
ROWS_AT_ONCE = 2_000
FORMS_AT_ONCE = 500
BODIES_AT_ONCE = 50
# While bodies are sent, the network takes the output when so many bytes wait.
FLUSH_BYTES = 256 * 1024

_FORMS = frozenset((Item.ENVELOPE, Item.BODY, Item.BODYSTRUCTURE))
Bytes = Body | Binary | BinarySize


class Plan:
    """What a FETCH needs, worked out once."""

    __slots__ = (
        "at_once",
        "bytes",
        "items",
        "marks_seen",
        "needs_envelopes",
        "needs_forms",
        "needs_raw",
        "needs_summaries",
        "needs_tree",
    )

    def __init__(self, attributes: Iterable[Attribute]) -> None:
        attributes = tuple(attributes)
        self.items = tuple(each for each in attributes if isinstance(each, Item))
        self.bytes: tuple[Bytes, ...] = tuple(each for each in attributes if not isinstance(each, Item))
        self.marks_seen = any(not isinstance(each, BinarySize) and not each.peek for each in self.bytes)
        self.needs_raw = any(not (isinstance(each, Body) and sections.is_header(each.section)) for each in self.bytes)
        self.needs_tree = any(
            sections.needs_tree(each.section) if isinstance(each, Body) else bool(each.path) for each in self.bytes
        )
        wanted = _FORMS.intersection(self.items)
        self.needs_envelopes = wanted == {Item.ENVELOPE} and not self.needs_tree
        self.needs_forms = (bool(wanted) and not self.needs_envelopes) or self.needs_tree
        self.needs_summaries = Item.PREVIEW in self.items
        if self.needs_raw:
            self.at_once = BODIES_AT_ONCE
        elif self.bytes or wanted or self.needs_summaries:
            self.at_once = FORMS_AT_ONCE
        else:
            self.at_once = ROWS_AT_ONCE


@dataclass(slots=True)
class Batch:
    """Some messages with what was loaded of them."""

    sequences: Sequence[int]
    rows: Sequence[MessageRow]
    forms: dict[int, Forms] | None = None
    envelopes: dict[int, bytes] | None = None
    headers: dict[int, bytes] | None = None
    summaries: dict[int, Summary] | None = None


async def answer(session: "Session", request: Fetch, *, uid: bool) -> Outcome:
    """Send the FETCH responses. Raises ClientFault, StoreUnavailable."""
    selected = session.need_selected()
    if request.vanished and not (uid and session.qresync and request.changed_since is not None):
        # RFC 7162 section 3.2.6
        raise ClientFault("VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC")
    chosen = selected.choose(request.messages, uid=uid)
    if request.window is not None:
        # RFC 9394 section 3.4: before CHANGEDSINCE.
        chosen = Chosen(list(request.window.of(chosen.sequences)), list(request.window.of(chosen.uids)))
    if request.window is not None and (refusal := limit.refused(session, len(chosen.uids))) is not None:
        return refusal
    chosen, lowest = limit.newest(session, chosen)
    attributes = dict.fromkeys(request.attributes)
    if request.changed_since is not None or Item.MODSEQ in attributes:
        session.enable_condstore()
    if request.changed_since is not None:
        # RFC 7162 section 3.1.4.1
        attributes[Item.MODSEQ] = None
        chosen = _changed(selected, chosen, request.changed_since)
        if request.vanished:
            await tell_vanished(session, selected, request.changed_since, _known(selected, request.messages))
    if uid and not session.uid_only:
        attributes = dict.fromkeys((Item.UID, *attributes))
    plan = Plan(attributes)
    complete = True
    unknown_encoding = False
    for start in range(0, len(chosen.uids), plan.at_once):
        sequences = chosen.sequences[start : start + plan.at_once]
        uids = chosen.uids[start : start + plan.at_once]
        fresh = await _mark_seen(selected, uids) if plan.marks_seen else frozenset()
        batch = await _load(selected, plan, sequences, uids)
        complete = complete and len(batch.rows) == len(uids)
        if not batch.rows:
            continue
        if selected.new_keywords(row.keywords for row in batch.rows):
            session.machine.send(selected.flags_line())
        if plan.bytes:
            sent = await _send_bodies(session, selected, plan, batch, fresh)
            complete = complete and sent.complete
            unknown_encoding = unknown_encoding or sent.unknown_encoding
        else:
            _send_items(session, selected, plan, batch)
        await session.flush()
    if unknown_encoding:
        return limit.said(session, no("A part has a transfer encoding that is not known here", b"UNKNOWN-CTE"), lowest)
    if not complete and not uid:
        # RFC 2180 section 4.1.3: what is there was answered. UIDs that are gone are passed over
        # (RFC 9051 section 6.4.9).
        return limit.said(session, no("Some messages are gone", b"EXPUNGEISSUED"), lowest)
    return limit.said(session, ok("FETCH completed"), lowest)


def _known(selected: Selected, wanted: NumberSet) -> Ranges:
    return tuple((uid, uid) for uid in selected.saved) if wanted.saved else wanted.ranges


def _changed(selected: Selected, chosen: Chosen, modseq: int) -> Chosen:
    rows = selected.view.rows(chosen.uids)
    kept = [(sequence, row.uid) for sequence, row in zip(chosen.sequences, rows, strict=True) if row.modseq > modseq]
    return Chosen([sequence for sequence, _ in kept], [uid for _, uid in kept])


async def _mark_seen(selected: Selected, uids: Sequence[int]) -> frozenset[int]:
    """Set \\Seen where it is missing; the UIDs of messages whose flags changed by it."""
    view = selected.view
    if view.read_only:
        return frozenset()
    unseen = [row.uid for row in view.rows(uids) if not row.flags & SEEN]
    if not unseen:
        return frozenset()
    stored = await view.store(unseen, "add", frozenset({"\\Seen"}))
    return frozenset(record.uid for record in stored.changed)


async def _load(selected: Selected, plan: Plan, sequences: Sequence[int], uids: Sequence[int]) -> Batch:
    """The messages that are still there."""
    view = selected.view
    batch = Batch(sequences, view.rows(uids))
    if plan.needs_forms:
        batch.forms = await view.forms(uids)
        _keep(batch, batch.forms)
    elif plan.needs_envelopes:
        batch.envelopes = await view.envelopes(uids)
        _keep(batch, batch.envelopes)
    if plan.needs_summaries:
        batch.summaries = await view.summaries(uids)
        _keep(batch, batch.summaries)
    if plan.bytes and not plan.needs_raw:
        batch.headers = await view.headers(uids)
        _keep(batch, batch.headers)
    return batch


def _keep(batch: Batch, found: Mapping[int, object]) -> None:
    """Leave out the messages that were not found."""
    if all(row.uid in found for row in batch.rows):
        return
    kept = [pair for pair in zip(batch.sequences, batch.rows, strict=True) if pair[1].uid in found]
    batch.sequences = [sequence for sequence, _ in kept]
    batch.rows = [row for _, row in kept]


def _columns(session: "Session", selected: Selected, plan: Plan, batch: Batch) -> list[list[bytes]]:
    """Each item for all messages of the batch."""
    made = []
    for item in plan.items:
        if item is Item.FLAGS:
            made.append(columns.flags(batch.rows, _recent_from(session, selected)))
        elif item in columns.BY_ROW:
            made.append(columns.BY_ROW[item](batch.rows))
        elif item is Item.PREVIEW:
            assert batch.summaries is not None
            made.append(columns.previews(batch.rows, batch.summaries, utf8=session.utf8))
        elif batch.envelopes is not None:
            envelopes = batch.envelopes
            made.append([b"ENVELOPE " + envelopes[row.uid] for row in batch.rows])
        else:
            assert batch.forms is not None
            forms, text = batch.forms, columns.BY_FORMS[item]
            made.append([text(forms[row.uid]) for row in batch.rows])
    return made


def _recent_from(session: "Session", selected: Selected) -> int:
    """\\Recent is of IMAP4rev1 alone."""
    return 2**63 if session.rev2 else selected.view.recent_from


def _send_items(session: "Session", selected: Selected, plan: Plan, batch: Batch) -> None:
    made = _columns(session, selected, plan, batch)
    line, numbers = b"* %d FETCH (%b)\r\n", batch.sequences
    if session.uid_only:
        line, numbers = b"* %d UIDFETCH (%b)\r\n", [row.uid for row in batch.rows]
    if len(made) == 1:
        lines = [line % pair for pair in zip(numbers, made[0], strict=True)]
    else:
        lines = [line % (number, b" ".join(items)) for number, *items in zip(numbers, *made, strict=True)]
    session.machine.send(b"".join(lines))


@dataclass(slots=True)
class Sent:
    """What could not be sent."""

    complete: bool = True
    unknown_encoding: bool = False


async def _send_bodies(session: "Session", selected: Selected, plan: Plan, batch: Batch, fresh: frozenset[int]) -> Sent:
    """Messages with bytes of them; those of `fresh` became \\Seen by it."""
    sent = Sent()
    machine = session.machine
    columns_ = _columns(session, selected, plan, batch)
    told = [b" ".join(items) for items in zip(*columns_, strict=True)] if columns_ else [b""] * len(batch.rows)
    for sequence, row, items in zip(batch.sequences, batch.rows, told, strict=True):
        raw = (await selected.view.raw(row.uid)) if batch.headers is None else batch.headers[row.uid]
        if raw is None:
            sent.complete = False
            continue
        tree = unpack(batch.forms[row.uid].structure) if plan.needs_tree and batch.forms else None
        if row.uid in fresh:
            items += _changed_flags(session, selected, plan, sequence, row, first=not items)
        machine.send(b"* %b (%b" % (sync.fetch_head(session, sequence, row.uid), items))
        space = b" " if items else b""
        for wanted in plan.bytes:
            try:
                head, data = _value(raw, tree, wanted)
            except sections.UnknownEncoding:
                sent.unknown_encoding = True
                continue
            machine.send(space + head)
            space = b" "
            if data:
                await session.send_bulk(data)
        machine.send(b")\r\n")
        if machine.pending > FLUSH_BYTES:
            await session.flush()
    return sent


def _changed_flags(
    session: "Session", selected: Selected, plan: Plan, sequence: int, row: MessageRow, *, first: bool
) -> bytes:
    """RFC 9051 section 6.4.5: flags that changed by the FETCH itself are told with it.

    RFC 7162 section 3.1: with UID and MODSEQ where CONDSTORE is used.
    """
    extra: tuple[Item, ...] = (Item.FLAGS, Item.MODSEQ) if session.condstore else (Item.FLAGS,)
    if session.condstore and not session.uid_only:
        extra = (Item.UID, *extra)
    more = Plan(item for item in extra if item not in plan.items)
    made = _columns(session, selected, more, Batch([sequence], [row]))
    return b"".join((b"" if first and not place else b" ") + column[0] for place, column in enumerate(made))


def _value(raw: bytes, tree: Part | None, wanted: Bytes) -> tuple[bytes, bytes]:
    """The item up to its bytes, and the bytes. Raises UnknownEncoding."""
    if isinstance(wanted, Body):
        data = sections.extract(raw, tree, wanted.section)
    elif wanted.path:
        assert tree is not None
        data = sections.decoded(raw, tree, wanted.path)
    else:
        data = raw
    if isinstance(wanted, BinarySize):
        return b"%b %d" % (wanted.label, len(data or b"")), b""
    if data is None:
        return wanted.label + b" NIL", b""
    data = sections.cut(data, wanted.partial)
    # A NUL in BODY[...] is sent as it is, unlike RFC 9051 section 4.3 (a literal has none): a message comes out
    # byte for byte as it came in.
    binary = isinstance(wanted, Binary) and b"\0" in data
    return b"%b %b{%d}\r\n" % (wanted.label, b"~" if binary else b"", len(data)), data
