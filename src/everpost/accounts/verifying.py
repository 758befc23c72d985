"""From a login and a password to the credential they match: remembered, app password, or slow hash."""

import asyncio

from everpost.accounts import passwords
from everpost.accounts.checks import PasswordChecks
from everpost.accounts.directory import Directory
from everpost.accounts.remembered import Proved, Remembered
from everpost.core.clock import Clock, milliseconds
from everpost.core.ids import AccountId
from everpost.store.sql.credentials import APP, PASSWORD, CredentialRow

# A remembered credential is looked up again after this long, should the wake-up about its change get lost (seconds).
CONFIRM_SECONDS = 5.0
NOBODY = AccountId(0)
"""No account has this id."""


class Verifier:
    """Costs the same for a login that does not exist as for a wrong password."""

    def __init__(self, directory: Directory, clock: Clock, checks: PasswordChecks, remembered: Remembered) -> None:
        self._directory = directory
        self._clock = clock
        self._checks = checks
        self._remembered = remembered
        self._running: dict[bytes, asyncio.Future[Proved | None]] = {}

    async def verify(self, login: str, password: str) -> Proved | None:
        """Which credential it is; None if it is none. Raises TooBusy, StoreUnavailable.

        `login` is the key of an address; anything else belongs to nobody.
        """
        digest = self._remembered.digest(login, password)
        proved = await self._recall(digest)
        if proved is not None:
            return proved
        while True:
            running = self._running.get(digest)
            if running is None:
                return await self._lead(digest, login, password)
            # A mail program opens several connections at once; one slow hash serves them all.
            await asyncio.wait([running])
            if not running.cancelled():
                return running.result()

    async def usable(self, account_id: AccountId) -> list[CredentialRow]:
        """The account's credentials that have not expired. Raises StoreUnavailable."""
        now = milliseconds(self._clock.now())
        rows = await self._directory.credentials(account_id)
        return [row for row in rows if row.expires_at is None or row.expires_at > now]

    async def _recall(self, digest: bytes) -> Proved | None:
        found = self._remembered.get(digest)
        if found is None:
            return None
        proved, age = found
        if age < CONFIRM_SECONDS:
            return proved
        if any(row.credential_id == proved.credential_id for row in await self.usable(proved.account_id)):
            self._remembered.confirm(digest)
            return proved
        self._remembered.forget(digest)
        return None

    async def _lead(self, digest: bytes, login: str, password: str) -> Proved | None:
        """Compute it for all who ask the same meanwhile; if this one gives up, another of them takes over."""
        future: asyncio.Future[Proved | None] = asyncio.get_running_loop().create_future()
        self._running[digest] = future
        try:
            proved = await self._compute(login, password)
        except Exception as error:
            future.set_exception(error)
            future.exception()  # Seen, should nobody wait.
            raise
        except BaseException:
            future.cancel()
            raise
        else:
            if proved is not None:
                self._remembered.put(digest, proved)
            future.set_result(proved)
            return proved
        finally:
            del self._running[digest]

    async def _compute(self, login: str, password: str) -> Proved | None:
        account = await self._directory.account_of(login)
        # Asked for nobody too: a question less would show in the time.
        account_id = NOBODY if account is None else account.account_id
        slow = passwords.NOBODY
        password_id: int | None = None
        for row in await self.usable(account_id):
            if row.kind == APP and passwords.is_app(row, password):
                return Proved(account_id, row.credential_id)
            if row.kind == PASSWORD and row.argon2 is not None:
                slow, password_id = row.argon2, row.credential_id
        right = await self._checks.check(slow, password)
        return Proved(account_id, password_id) if right and password_id is not None else None
