"""Credentials that were right a moment ago, so that the next login with them costs no slow hash.

Only a keyed hash of login and password is held; the key is this process's own and is never stored.
"""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from everpost.core.clock import Clock
from everpost.core.ids import AccountId


@dataclass(frozen=True, slots=True)
class Proved:
    """A credential that was right."""

    account_id: AccountId
    version: int
    """`Account.credential_version` then; it grows with every change of the account's credentials."""
    expires_ms: int | None = None
    """Unix milliseconds; None for a credential that does not expire."""


class Remembered:
    """Bounded; the longest unused are forgotten first."""

    def __init__(self, clock: Clock, seconds: float = 300.0, entries: int = 20_000) -> None:
        """`seconds` after the slow hash was computed it is computed again."""
        self._clock = clock
        self._seconds = seconds
        self._entries = entries
        self._key = secrets.token_bytes(32)
        self._held: OrderedDict[bytes, tuple[float, Proved]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def digest(self, login: str, password: str) -> bytes:
        """Under what a login with a password is remembered."""
        text = f"{len(login)} {login} {password}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()

    def get(self, digest: bytes) -> Proved | None:
        """What was proved; whether it still holds is the caller's to see."""
        until, proved = self._held.get(digest, (0.0, None))
        if proved is None or until <= self._clock.monotonic():
            self._held.pop(digest, None)
            return None
        self._held.move_to_end(digest)
        return proved

    def put(self, digest: bytes, proved: Proved) -> None:
        """The slow hash agreed just now."""
        self._held[digest] = (self._clock.monotonic() + self._seconds, proved)
        self._held.move_to_end(digest)
        if len(self._held) > self._entries:
            self._held.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """It is no longer so."""
        self._held.pop(digest, None)
