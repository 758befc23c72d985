"""Credentials that were right a moment ago, so that the next login with them costs no slow hash.

Only a keyed hash of login and password is held; the key is this process's own and is never stored.
"""

import hashlib
import math
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from everpost.core.clock import Clock
from everpost.core.ids import AccountId


@dataclass(frozen=True, slots=True)
class Proved:
    """Which credential it was."""

    account_id: AccountId
    credential_id: int
    """A password that is changed becomes another credential."""


@dataclass(slots=True)
class _Held:
    proved: Proved
    until: float
    confirmed: float
    doubts: int


class Remembered:
    """Bounded; the longest unused are forgotten first."""

    def __init__(self, clock: Clock, seconds: float = 300.0, entries: int = 20_000) -> None:
        """`seconds` after the slow hash was computed it is computed again."""
        self._clock = clock
        self._seconds = seconds
        self._entries = entries
        self._key = secrets.token_bytes(32)
        self._doubts = 0
        self._held: OrderedDict[bytes, _Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def digest(self, login: str, password: str) -> bytes:
        """Under what a login with a password is remembered."""
        text = f"{len(login)} {login} {password}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()

    def get(self, digest: bytes) -> tuple[Proved, float] | None:
        """The credential, and seconds since it was last seen to exist (infinite after `doubt`)."""
        held = self._held.get(digest)
        now = self._clock.monotonic()
        if held is None or held.until <= now:
            self._held.pop(digest, None)
            return None
        self._held.move_to_end(digest)
        return held.proved, now - held.confirmed if held.doubts == self._doubts else math.inf

    def put(self, digest: bytes, proved: Proved) -> None:
        """The slow hash agreed just now."""
        now = self._clock.monotonic()
        self._held[digest] = _Held(proved, now + self._seconds, now, self._doubts)
        self._held.move_to_end(digest)
        if len(self._held) > self._entries:
            self._held.popitem(last=False)

    def confirm(self, digest: bytes) -> None:
        """The credential was seen to exist just now."""
        held = self._held.get(digest)
        if held is not None:
            held.confirmed = self._clock.monotonic()
            held.doubts = self._doubts

    def forget(self, digest: bytes) -> None:
        """It is no longer so."""
        self._held.pop(digest, None)

    def doubt(self) -> None:
        """Something in the directory changed: each is to be confirmed before it is believed again."""
        self._doubts += 1
