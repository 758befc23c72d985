"""From a login and a password to the credential they match: remembered, app password, or slow hash."""

import asyncio

from everpost.accounts import passwords
from everpost.accounts.checks import PasswordChecks
from everpost.accounts.directory import Directory
from everpost.accounts.remembered import Proved, Remembered
from everpost.core.clock import Clock, milliseconds
from everpost.core.ids import AccountId
from everpost.store.sql.credentials import APP, PASSWORD, CredentialRow

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
        proved = self._remembered.get(digest)
        if proved is None:
            return None
        # From the directory's cache, which every change clears and which is never older than seconds.
        account = await self._directory.account(proved.account_id)
        expired = proved.expires_ms is not None and proved.expires_ms <= milliseconds(self._clock.now())
        if account is not None and account.credential_version == proved.version and not expired:
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
        # The version is read before the credentials, so it is never newer than they are.
        account = await self._directory.account_of(login)
        account_id, version = (NOBODY, 0) if account is None else (account.account_id, account.credential_version)
        slow, proved = passwords.NOBODY, None
        # Asked for nobody too: a question less would show in the time.
        for row in await self.usable(account_id):
            if row.kind == APP and passwords.is_app(row, password):
                return Proved(account_id, version, row.expires_at)
            if row.kind == PASSWORD and row.argon2 is not None:
                slow, proved = row.argon2, Proved(account_id, version, row.expires_at)
        return proved if await self._checks.check(slow, password) else None
