"""Logging in: who somebody is, by password or SASL; failures are slowed, and answered alike whatever they were."""

import hashlib
import hmac
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from everpost.accounts import passwords, sasl
from everpost.accounts.checks import PasswordChecks
from everpost.accounts.directory import Account, Directory
from everpost.accounts.passwords import ScramKeys
from everpost.accounts.remembered import Remembered
from everpost.accounts.sasl import Challenge, Context, Done, Failed, Mechanism, NeedKeys, Reason
from everpost.accounts.sasl import Verify as PasswordGiven
from everpost.accounts.throttle import MemoryThrottle, Throttle, TooManyFailures
from everpost.accounts.verifying import NOBODY, Verifier
from everpost.core.address import Address, BadAddress
from everpost.core.clock import Clock, milliseconds
from everpost.core.errors import ProtocolError, Refused
from everpost.core.log import logger
from everpost.core.metrics import counter
from everpost.net.clock import RealSleeper, Sleeper
from everpost.store.ports import Transaction
from everpost.store.sql import secrets as stored
from everpost.store.sql.credentials import PASSWORD

__all__ = ["AuthSession", "AuthSettings", "Authenticator", "BadExchange", "BadLogin", "TooManyFailures"]

log = logger("accounts")
LOGINS = counter("accounts", "logins_total", "Logins by outcome", ("service", "mechanism", "outcome"))

MAX_USER = 512
_SALT_SECRET = "scram-salt"  # noqa: S105 - the name of a secret


class BadLogin(Refused):
    """Wrong user, wrong password, switched off: the answer is the same (RFC 4954 section 6)."""

    default_status = "5.7.8"

    def __init__(self) -> None:
        super().__init__("the user name or the password is wrong")


class BadExchange(ProtocolError):
    """The client's messages are no proper exchange of this mechanism."""

    default_status = "5.7.0"


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """What an operator may choose."""

    without_tls: bool = False
    """Passwords may travel in clear: for a demo whose listeners are on loopback."""
    remember_seconds: float = 300.0
    """How long a password that was right is believed without its slow hash."""


class Authenticator:
    """One worker's; shared by all doors."""

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        *,
        sleeper: Sleeper | None = None,
        throttle: Throttle | None = None,
        checks: PasswordChecks | None = None,
        settings: AuthSettings = AuthSettings(),
        chance: random.Random | None = None,
    ) -> None:
        """`chance` makes nonces and must be the operating system's outside of tests."""
        self.directory = directory
        self.settings = settings
        self.sleeper = sleeper or RealSleeper()
        self.throttle = throttle or MemoryThrottle(clock)
        self._clock = clock
        self._chance = chance or secrets.SystemRandom()
        self._checks = checks or PasswordChecks()
        self._verifier = Verifier(directory, clock, self._checks, Remembered(clock, settings.remember_seconds))
        self._salt_key: bytes | None = None

    def close(self) -> None:
        """Checks that wait are given up."""
        self._checks.close()

    def mechanisms(self, tls: bool, binding: bool) -> tuple[str, ...]:
        """What may be offered, the strongest first. `binding`: channel binding data of the connection can be had."""
        if not tls and not self.settings.without_tls:
            return ()
        return tuple(name for name in sasl.MECHANISMS if (tls and binding) or not name.endswith("-PLUS"))

    async def login(self, user: str, password: str, peer: str, service: str, mechanism: str = "login") -> Account:
        """Who this is; `user` is an account's full address, `peer` the client's IP address.

        A failure is answered after a while that grows. Raises BadLogin, TooManyFailures, TooBusy, StoreUnavailable.
        """
        login = login_of(user)
        await self._check_throttle(peer, login, service, mechanism)
        account = None
        if len(password) <= passwords.MAX_PASSWORD and _is_text(password):
            proved = await self._verifier.verify(login, password)
            account = None if proved is None else await self.directory.account(proved.account_id)
        if account is None or not account.active:
            await self.fail(peer, login, service, mechanism, "inactive" if account else "wrong")
            raise BadLogin
        return await self.succeed(account, peer, login, service, mechanism)

    def session(self, mechanism: str, peer: str, service: str, binding: Callable[[str], bytes | None]) -> "AuthSession":
        """A SASL exchange; `binding` gives channel binding data by its type. Raises BadExchange for no mechanism."""
        name = mechanism.upper()
        if name not in sasl.MECHANISMS:
            raise BadExchange("this mechanism is not available", status="5.5.4")
        offered = any(binding(kind) is not None for kind in ("tls-server-end-point", "tls-unique"))
        context = Context(binding, offered, self._nonce)
        return AuthSession(self, sasl.start(name, context), name, peer, service)

    async def keys_of(self, user: str, peer: str, service: str, mechanism: str) -> ScramKeys:
        """What SCRAM needs of a user; made up, but always the same, for one that cannot log in.

        Raises TooManyFailures, StoreUnavailable.
        """
        login = login_of(user)
        await self._check_throttle(peer, login, service, mechanism)
        made_up = await self._made_up(login)
        account = await self.directory.account_of(login)
        account_id = NOBODY if account is None or not account.active else account.account_id
        for row in await self._verifier.usable(account_id):
            if (
                row.kind == PASSWORD
                and row.scram_salt
                and row.scram_iterations
                and row.scram_stored_key
                and row.scram_server_key
            ):
                return ScramKeys(
                    bytes(row.scram_salt),
                    row.scram_iterations,
                    bytes(row.scram_stored_key),
                    bytes(row.scram_server_key),
                )
        return made_up

    async def succeed(self, account: Account, peer: str, login: str, service: str, mechanism: str) -> Account:
        """Note a success."""
        await self.throttle.succeeded(peer, login)
        LOGINS.labels(service, mechanism, "succeeded").inc()
        return account

    async def fail(self, peer: str, login: str, service: str, mechanism: str, reason: str) -> None:
        """Note a failure, then wait as long as it deserves."""
        wait = await self.throttle.failed(peer, login)
        LOGINS.labels(service, mechanism, "failed").inc()
        # No user name: people type their password there.
        log.info("login.failed", service=service, mechanism=mechanism, peer=peer, reason=reason, held_back=wait)
        await self.sleeper.sleep(wait)

    async def _check_throttle(self, peer: str, login: str, service: str, mechanism: str) -> None:
        try:
            await self.throttle.check(peer, login)
        except TooManyFailures:
            LOGINS.labels(service, mechanism, "throttled").inc()
            raise

    async def _made_up(self, login: str) -> ScramKeys:
        """RFC 5802 section 9 leaves it to us not to tell by the salt who exists."""
        if self._salt_key is None:
            now, value = milliseconds(self._clock.now()), secrets.token_bytes(32)

            async def work(tx: Transaction) -> bytes:
                return await stored.get_or_make(tx, _SALT_SECRET, value, now)

            # One for the cluster: another node, or this one after a restart, must give the same salt.
            self._salt_key = await self.directory.database.write(work)
        parts = (hmac.digest(self._salt_key, f"{kind} {login}".encode(), "sha256") for kind in ("salt", "a", "b"))
        salt, stored_key, server_key = parts
        return ScramKeys(salt[:16], passwords.SCRAM_ITERATIONS, stored_key, server_key)

    def _nonce(self) -> str:
        return f"{self._chance.getrandbits(144):036x}"


class AuthSession:
    """One SASL exchange on one connection."""

    def __init__(self, authenticator: Authenticator, mechanism: Mechanism, name: str, peer: str, service: str) -> None:
        self._authenticator = authenticator
        self._mechanism = mechanism
        self._name = name
        self._peer = peer
        self._service = service
        self._user = ""

    async def step(self, response: bytes | None) -> bytes | Account:
        """The next challenge, or at the end the account. `response` is None at first without initial response.

        Raises BadLogin, BadExchange, TooManyFailures, TooBusy, StoreUnavailable; then the exchange is over.
        """
        answer = self._mechanism.step(response)
        match answer:
            case Challenge(data):
                return data
            case PasswordGiven(user, password, authorization):
                _only_as_oneself(user, authorization)
                return await self._authenticator.login(user, password, self._peer, self._service, self._name)
            case NeedKeys(user, authorization, provide):
                _only_as_oneself(user, authorization)
                self._user = user
                keys = await self._authenticator.keys_of(user, self._peer, self._service, self._name)
                return provide(keys).data
            case Failed(Reason.MALFORMED):
                raise BadExchange("malformed authentication message")
            case Failed(reason):
                await self._authenticator.fail(
                    self._peer, login_of(self._user), self._service, self._name, reason.value
                )
                raise BadLogin
            case Done(user):
                return await self._finish(login_of(user))

    async def _finish(self, login: str) -> Account:
        account = await self._authenticator.directory.account_of(login)
        if account is None or not account.active:
            await self._authenticator.fail(self._peer, login, self._service, self._name, "inactive")
            raise BadLogin
        return await self._authenticator.succeed(account, self._peer, login, self._service, self._name)


def login_of(user: str) -> str:
    """The key under which a user is looked up and counted; what is no address becomes a digest, nobody's key."""
    user = user.strip()
    if len(user) <= MAX_USER and _is_text(user):
        try:
            return Address.parse(passwords.prepare(user)).key
        except BadAddress:
            pass
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()


def _is_text(text: str) -> bool:
    """Not with half a character in it, which no client can have meant."""
    return text.isascii() or text.encode("utf-8", "ignore").decode() == text


def _only_as_oneself(user: str, authorization: str) -> None:
    if authorization and login_of(authorization) != login_of(user):
        raise BadExchange("you may act only as yourself")
