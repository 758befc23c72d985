"""Answers of the DNS, kept for as long as they say, within bounds."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final

from everpost.core.clock import Clock
from everpost.core.resolver import Answer

# Everybody who sends mail chooses names that we look up, and how long their records are.
MAX_ENTRIES = 100_000
MAX_BYTES = 64 * 1024 * 1024
# About what an entry and each of its records take apart from their text.
ENTRY_BYTES = 400
RECORD_BYTES = 64

Key = tuple[str, str]
"""Name (lower case, without the final dot) and type."""

FAILED: Final[Answer[Any]] = Answer(exists=False)
"""Kept for a question that nobody could answer; known by its identity."""


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    answer: Answer[Any]
    weight: int


class Cache:
    """Least recently used goes first."""

    def __init__(self, clock: Clock, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Answer[Any] | None:
        """The answer, its `ttl` what is left of it; None if there is none (any more)."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        left = kept.until - self._clock.monotonic()
        if left <= 0:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.answer if kept.answer is FAILED else replace(kept.answer, ttl=int(left))

    def keep(self, key: Key, answer: Answer[Any], ttl: int) -> None:
        """Keep an answer for `ttl` seconds."""
        if key in self._kept:
            self._drop(key)
        weight = ENTRY_BYTES + len(key[0]) + sum(len(str(record)) + RECORD_BYTES for record in answer.records)
        self._kept[key] = _Kept(self._clock.monotonic() + ttl, answer, weight)
        self._bytes += weight
        while len(self._kept) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        self._bytes -= self._kept.pop(key).weight
