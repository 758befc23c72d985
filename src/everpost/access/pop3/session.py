"""One POP3 session: it answers the machine's events from an account's inbox."""

import ssl
from collections.abc import Iterable
from typing import assert_never

from everpost.access.pop3 import maildrop
from everpost.access.pop3.door import Pop3Door
from everpost.access.pop3.held import Held, InUse, LockLost
from everpost.access.pop3.wire import events
from everpost.access.pop3.wire.server import Pop3Machine
from everpost.accounts.authenticate import AuthSession, BadLogin
from everpost.accounts.directory import Account
from everpost.core.errors import Broken, EverpostError, TryLater
from everpost.core.log import logger
from everpost.core.metrics import counter
from everpost.net.connection import Connection, ConnectionLost

log = logger("access")

MESSAGES = counter("access", "pop3_messages_total", "Messages handled in POP3 sessions", ("action",))

SERVICE = "pop3"
# Answers are sent on when more octets than this wait.
MAX_PENDING = 65_536
RETRY_SECONDS = 5.0
_BROKEN = "something went wrong here; try again later"
TEMPORARY = "SYS/TEMP"


class Session:
    """Implements `net.drive.Session`."""

    def __init__(self, connection: Connection, machine: Pop3Machine, door: Pop3Door) -> None:
        self.finished = False
        self.upgrade: ssl.SSLContext | None = None
        self._connection = connection
        self._machine = machine
        self._door = door
        self._auth: AuthSession | None = None
        self._held: Held | None = None
        self._login_by = door.clock.monotonic() + door.limits.login
        self._heard_at = door.clock.monotonic()
        self._heard = 0

    # What the driver calls.

    async def start(self) -> None:
        self._door.enter(self._connection)
        self._machine.tls = self._connection.tls is not None
        self._offer_login()
        self._machine.greet()

    async def handle(self, event: events.Event) -> None:
        """Answer one event; a fault of ours is answered with SYS/TEMP and the session goes on."""
        try:
            if self._held is not None:
                await self._held.keep()
            await self._handle(event)
            if self._machine.pending > MAX_PENDING:
                await self._flush()
        except ConnectionLost:
            raise
        except EverpostError as error:
            self._refuse(error)
        except Exception:
            log.exception("session.failed", door=SERVICE, peer=self._connection.peer.host)
            self._refuse(Broken(_BROKEN))

    def patience(self) -> float:
        return max(0.01, self._ends_at() - self._door.clock.monotonic())

    async def idle(self) -> bool:
        limit = self._login_by if self._held is None else self._heard_at + self._door.limits.silence
        if self._door.clock.monotonic() >= limit:
            self._machine.close("too long a silence")
            return False
        if self._held is not None:
            try:
                await self._held.keep()
            except LockLost as error:
                self._machine.close(error.text, TEMPORARY)
                return False
            except TryLater:
                # The database is away for a moment; whether the lock is still ours shows when it is back.
                self._held.renew_at = self._door.clock.monotonic() + RETRY_SECONDS
        return True

    async def woken(self) -> None:
        if self._door.closing:
            self._close("this host is closing; try again at once", TEMPORARY)

    async def tls_started(self) -> None:
        self._auth = None
        self._machine.tls_started()
        self._offer_login()

    async def closed(self) -> None:
        self._door.leave(self._connection)
        held, self._held = self._held, None
        if held is not None:
            await held.close()

    # Inside.

    async def _handle(self, event: events.Event) -> None:
        machine = self._machine
        match event:
            case events.Password(user, password):
                peer = self._connection.peer.host
                await self._open(await self._door.authenticator.login(user, password, peer, SERVICE))
            case events.AuthStart() | events.AuthResponse():
                await self._authenticate(event)
            case events.AuthCancel():
                self._auth = None
            case events.StartTls():
                machine.ok("begin TLS")
                self.upgrade = self._door.context
            case events.Quit(update):
                await self._quit(update)
            case events.Closed():
                self.finished = True
            case _:
                await self._use(event, self._opened)

    async def _use(
        self,
        event: events.Stat | events.List | events.Uidl | events.Retrieve | events.Delete | events.Reset,
        held: Held,
    ) -> None:
        machine, drop = self._machine, held.drop
        match event:
            case events.Stat():
                machine.ok("{} {}".format(*drop.total()))
            case events.List(number):
                if number is None:
                    machine.lines("{} messages ({} octets)".format(*drop.total()), drop.sizes())
                else:
                    machine.ok(f"{number} {drop.message(number)[1]}")
            case events.Uidl(number):
                if number is None:
                    machine.lines("unique ids follow", drop.unique_ids())
                else:
                    machine.ok(f"{number} {drop.unique_id(drop.message(number)[0])}")
            case events.Retrieve(number, lines):
                await self._send_message(held, number, lines)
            case events.Delete(number):
                drop.delete(number)
                machine.ok("marked as deleted")
            case events.Reset():
                drop.reset()
                machine.ok("nothing is marked as deleted")
            case _:
                assert_never(event)

    @property
    def _opened(self) -> Held:
        assert self._held is not None, "the machine lets such commands through only after login"
        return self._held

    async def _authenticate(self, event: events.AuthStart | events.AuthResponse) -> None:
        if isinstance(event, events.AuthStart):
            peer = self._connection.peer.host
            self._auth = self._door.authenticator.session(event.mechanism, peer, SERVICE, self._binding)
            answer = await self._auth.step(event.initial)
        else:
            assert self._auth is not None
            answer = await self._auth.step(event.data)
        if isinstance(answer, bytes):
            self._machine.challenge(answer)
            return
        self._auth = None
        await self._open(answer)

    async def _open(self, account: Account) -> None:
        self._held = await Held.open(self._door, account)
        self._heard_at = self._door.clock.monotonic()
        log.info("login.succeeded", door=SERVICE, peer=self._connection.peer.host, account=account.account_id)
        self._machine.log_in("{} messages ({} octets)".format(*self._held.drop.total()))

    async def _send_message(self, held: Held, number: int, lines: int | None) -> None:
        size, raw = await held.read(number, header_only=lines == 0)
        pieces: Iterable[bytes] = maildrop.slices(raw) if lines is None else maildrop.top(raw, lines)
        self._machine.start_message(f"{size} octets" if lines is None else "the top follows")
        for piece in pieces:
            self._machine.piece(piece)
            if self._machine.pending > MAX_PENDING:
                await self._flush()
        self._machine.end_message()
        if lines is None:
            MESSAGES.labels("retrieved").inc()

    async def _flush(self) -> None:
        """Send on what waits and wait until the client has taken most of it. Raises ConnectionLost."""
        self._connection.send(self._machine.data_to_send())
        await self._connection.drain(self._door.limits.send)

    async def _quit(self, update: bool) -> None:
        self.finished = True
        held = self._held
        removed = 0
        if held is not None and update:
            removed = await held.update()
            MESSAGES.labels("deleted").inc(removed)
            # Free before the client hears the answer: it may come back at once.
            self._held = None
            await held.close()
        self._machine.ok(f"goodbye; {removed} messages deleted" if removed else "goodbye")

    def _binding(self, kind: str) -> bytes | None:
        """Channel binding data (RFC 5929) for SCRAM-SHA-256-PLUS; None where logins cannot be bound."""
        return self._connection.channel_binding(kind) if self._connection.binds_channels else None

    def _offer_login(self) -> None:
        tls = self._connection.tls is not None
        self._machine.mechanisms = self._door.authenticator.mechanisms(tls, self._connection.binds_channels)

    def _ends_at(self) -> float:
        """Until when (Clock.monotonic) nothing needs to be done if the client says nothing."""
        if self._machine.commands != self._heard:
            self._heard = self._machine.commands
            self._heard_at = self._door.clock.monotonic()
        if self._held is None:
            return self._login_by
        return min(self._held.renew_at, self._heard_at + self._door.limits.silence)

    def _refuse(self, error: EverpostError) -> None:
        self._auth = None
        if isinstance(error, LockLost):
            self._close(error.text, TEMPORARY)
        elif self._machine.is_in_message or not self._machine.is_asked:
            # A refusal here would be taken for part of the message, or for the answer to something else.
            self.finished = True
            self._connection.abort()
        else:
            self._machine.error(*_told(error))

    def _close(self, text: str, code: str) -> None:
        self._machine.close(text, code)
        self.finished = True


def _told(error: EverpostError) -> tuple[str, str | None]:
    """Text and response code (RFC 2449 section 8, RFC 3206)."""
    match error:
        case BadLogin():
            return error.text, "AUTH"
        case InUse():
            return error.text, "IN-USE"
        case Broken():
            return _BROKEN, TEMPORARY
        case TryLater():
            return error.text, TEMPORARY
        case _:
            return error.text, None
