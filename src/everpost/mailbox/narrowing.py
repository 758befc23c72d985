"""The sieve before SEARCH TEXT and BODY: signatures of a folder's messages in memory, asked all at once.

Signatures lie side by side in matrices, one for each size of bitmap, and a worker keeps those of the folders
searched lately. A content never changes, so what is kept is never wrong; a message without a signature is
always a candidate.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from everpost.core.ids import FolderId
from everpost.message.signature import Probe, parts
from everpost.store.ports import Database, Row, Transaction
from everpost.store.sql import signatures

Answers = npt.NDArray[np.uint8]
"""For each message: 0 if the text is not there, YES if it is, else where to look: BODY, HEADER or both."""
BODY = 1
HEADER = 2
YES = 4
Wanted = tuple[bytes, bool]
"""Folded text, and whether it is sought in the body only."""

# A worker keeps at most so many bytes of signatures.
MAX_BYTES = 96 * 1024 * 1024
# Statements ask for this many at a time.
_BATCH = 5_000
# More than this are read off the event loop.
_HEAVY = 200
# Among more than this is sifted off the event loop.
_THREAD = 20_000
_USUAL_BYTES = 1_000
# Of so many texts searched lately it is kept which messages have them.
_LEARNT = 32
_UNKNOWN = 255
# Of removed messages so many are borne before a folder's signatures are read anew.
_SPARE = 2_000


class Matrix:
    """Signatures whose bitmaps have the same sizes, one in a row, and whose they are."""

    __slots__ = ("_rows", "_slots", "body", "count", "header", "width")

    def __init__(self, header: slice, body: slice) -> None:
        """`header` and `body` are where the bitmaps stand in a row."""
        self.header = header
        self.body = body
        self.width: int = body.stop
        self._rows = np.empty((0, self.width), np.uint8)
        self._slots = np.empty(0, np.intp)
        self.count = 0

    @property
    def bytes_held(self) -> int:
        """With the room kept for more."""
        return self._rows.nbytes + self._slots.nbytes

    def extend(self, rows: Sequence[bytes], slots: Sequence[int]) -> None:
        """Add some."""
        end = self.count + len(rows)
        if end > len(self._slots):
            room = max(end, len(self._slots) * 3 // 2)
            grown = np.empty((room, self.width), np.uint8)
            grown[: self.count] = self._rows[: self.count]
            self._rows = grown
            self._slots = np.concatenate((self._slots[: self.count], np.empty(room - self.count, np.intp)))
        self._rows[self.count : end] = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
        self._slots[self.count : end] = slots
        self.count = end

    def mark(self, probe: Probe, answers: Answers, *, body_only: bool) -> None:
        """Say in `answers`, by slot, where what the probe is for may be."""
        rows, slots = self._rows[: self.count], self._slots[: self.count]
        answers[slots[probe.among(rows[:, self.body])]] |= BODY
        if not body_only:
            answers[slots[probe.among(rows[:, self.header])]] |= HEADER


class Table:
    """Signatures of one folder, by slot, and what whole messages have answered since."""

    __slots__ = ("_learnt", "_matrices", "bytes_held", "lock", "slots")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.slots: dict[int, int] = {}
        """Content id to slot; slots count from 0."""
        self.bytes_held = 0
        self._matrices: dict[bytes, Matrix] = {}
        self._learnt: OrderedDict[Wanted, Answers] = OrderedDict()

    def add(self, loaded: Iterable[Sequence[Any]]) -> None:
        """(content id, signature) of some; left out are those already there, and signatures of other versions."""
        groups: dict[bytes, tuple[list[bytes], list[int]]] = {}
        slots = self.slots
        for content_id, data in loaded:
            beginning = data[:3]
            matrix = self._matrices.get(beginning) or self._matrix(beginning)
            if matrix is None or content_id in slots or len(data) != matrix.width:
                continue
            rows, places = groups.setdefault(beginning, ([], []))
            rows.append(data)
            places.append(len(slots))
            slots[content_id] = len(slots)
        for beginning, (rows, places) in groups.items():
            self._matrices[beginning].extend(rows, places)
        # What the dictionary and the answers need for one.
        self.bytes_held = len(slots) * (100 + _LEARNT) + sum(each.bytes_held for each in self._matrices.values())

    def _matrix(self, beginning: bytes) -> Matrix | None:
        found = parts(beginning)
        if found is None:
            return None
        matrix = self._matrices[beginning] = Matrix(*found)
        return matrix

    def answers(self, wanted: Wanted) -> Answers:
        """By slot; one slot more for those without a slot."""
        text, body_only = wanted
        anywhere = BODY if body_only else BODY | HEADER
        answers = np.full(len(self.slots) + 1, anywhere, np.uint8)
        probe = Probe.of(text)
        if probe is not None:
            answers[:-1] = 0
            for matrix in self._matrices.values():
                matrix.mark(probe, answers, body_only=body_only)
        known = self._learnt.get(wanted)
        if known is not None:
            answers[: len(known)] = np.where(known == _UNKNOWN, answers[: len(known)], known)
        return answers

    def learn(self, wanted: Wanted, found: Iterable[tuple[int, bool]]) -> None:
        """What whole messages answered, by content id: contents never change."""
        known = self._learnt.get(wanted)
        if known is None or len(known) < len(self.slots):
            grown = np.full(len(self.slots), _UNKNOWN, np.uint8)
            if known is not None:
                grown[: len(known)] = known
            known = self._learnt[wanted] = grown
        self._learnt.move_to_end(wanted)
        for content_id, holds in found:
            slot = self.slots.get(content_id)
            if slot is not None:
                known[slot] = YES if holds else 0
        while len(self._learnt) > _LEARNT:
            self._learnt.popitem(last=False)

    def sift(self, content_ids: Sequence[int], wanted: Sequence[Wanted]) -> list[Answers]:
        """For each wanted text the answer of each content."""
        places = self.places(content_ids)
        return [self.answers(each)[places] for each in wanted]

    def places(self, content_ids: Sequence[int]) -> npt.NDArray[np.intp]:
        """The slot of each content; one after the last for those without."""
        missing = len(self.slots)
        get = self.slots.get
        return np.fromiter((get(content_id, missing) for content_id in content_ids), np.intp, len(content_ids))


@dataclass(slots=True)
class SignatureCache:
    """The tables of the folders searched lately, bounded in bytes."""

    max_bytes: int = MAX_BYTES
    _tables: OrderedDict[FolderId, Table] = field(default_factory=OrderedDict)

    def table(self, folder_id: FolderId, messages: int) -> Table:
        """The folder's, empty at first. `messages` is how many the folder has now."""
        table = self._tables.get(folder_id)
        if table is None or len(table.slots) > 2 * messages + _SPARE:
            table = self._tables[folder_id] = Table()
        self._tables.move_to_end(folder_id)
        return table

    async def sift(
        self,
        database: Database,
        folder_id: FolderId,
        messages: int,
        content_ids: Sequence[int],
        wanted: Sequence[Wanted],
        *,
        load: bool,
    ) -> list[Answers]:
        """For each wanted text the answer of each content; `load` to read signatures that are missing.

        Raises StoreUnavailable.
        """
        table = self.table(folder_id, messages)
        async with table.lock:
            missing = [place for place, each in enumerate(content_ids) if each not in table.slots] if load else []
            beyond = self._room(table)
            fitting = missing[:beyond]
            for start in range(0, len(fitting), _BATCH):
                ids = [content_ids[place] for place in fitting[start : start + _BATCH]]
                table.add(await read(database, ids))
            if len(content_ids) > _THREAD:
                answers = await asyncio.to_thread(table.sift, content_ids, wanted)
            else:
                answers = table.sift(content_ids, wanted)
        self._shrink(table)
        # Those for which there is no room are read anew each time.
        for start in range(beyond, len(missing), _BATCH):
            places = missing[start : start + _BATCH]
            ids = [content_ids[place] for place in places]
            passing = Table()
            passing.add(await read(database, ids))
            for each, found in zip(answers, passing.sift(ids, wanted), strict=True):
                each[places] = found
        return answers

    def _room(self, table: Table) -> int:
        """For about how many more signatures a table has room."""
        each = table.bytes_held // len(table.slots) if table.slots else _USUAL_BYTES
        return max(0, self.max_bytes - table.bytes_held) // max(1, each)

    def _shrink(self, kept: Table) -> None:
        held = sum(table.bytes_held for table in self._tables.values())
        while held > self.max_bytes and len(self._tables) > 1:
            folder_id, oldest = next(iter(self._tables.items()))
            if oldest is kept:
                break
            del self._tables[folder_id]
            held -= oldest.bytes_held


async def read(database: Database, content_ids: Sequence[int]) -> Sequence[Row]:
    """(content id, signature) of those contents that have one. Raises StoreUnavailable."""

    async def work(tx: Transaction) -> Sequence[Row]:
        return await signatures.of(tx, content_ids)

    return await database.read(work, heavy=len(content_ids) > _HEAVY)
