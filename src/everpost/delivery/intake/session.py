"""One SMTP session behind either door: it answers the machine's events by what the door allows."""

import ssl
from typing import assert_never

from everpost.accounts.directory import Account
from everpost.core.errors import EverpostError
from everpost.core.log import logger
from everpost.core.metrics import counter
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.intake.door import Door
from everpost.delivery.intake.login import Login
from everpost.delivery.intake.replies import reply_to
from everpost.delivery.intake.taking import Taking
from everpost.net.connection import Connection
from everpost.smtp.wire import events
from everpost.smtp.wire.reply import Reply
from everpost.smtp.wire.server import ServerMachine

log = logger("delivery")

REFUSED = counter("delivery", "commands_refused_total", "Commands refused by policy", ("door", "command", "status"))
VIOLATIONS = counter("delivery", "violations_total", "Rules broken by clients", ("door", "kind"))

_BROKEN = Reply(451, "4.3.0", "something went wrong here; try again later")
_CLOSING = Reply(421, "4.3.2", "this host is closing; try again at once")
_SILENT = Reply(421, "4.4.2", "too long a silence")
_SLOW = Reply(421, "4.4.2", "the message came too slowly")
_LONG = Reply(421, "4.7.0", "this session has lasted long enough; please reconnect")
_SENDER = Reply(250, "2.1.0", "sender is fine")
_RECIPIENT = Reply(250, "2.1.5", "recipient is fine")
_GO = Reply(354, None, "send the message, end it with a dot alone")
_MEMORY = Reply(452, "4.3.1", "too much is coming in at the moment")


class Session:
    """Implements `net.drive.Session`."""

    def __init__(self, connection: Connection, machine: ServerMachine, door: Door) -> None:
        self.finished = False
        self.upgrade: ssl.SSLContext | None = None
        self.hello: events.Hello | None = None
        self.account: Account | None = None
        self._connection = connection
        self._machine = machine
        self._door = door
        self._ends_at = door.clock.monotonic() + door.limits.session
        self._login = None if door.authenticator is None else Login(door.authenticator, door, connection)
        self._sender: Sender | None = None
        self._size = 0
        self._recipients: list[Recipient] = []
        self._taking: Taking | None = None

    # What the driver calls.

    async def start(self) -> None:
        self._door.enter(self._connection)
        self._machine.tls = self._connection.tls is not None
        self._offer_login()
        self._machine.greet(Reply(220, None, f"{self._door.config.hostname} ESMTP Everpost"))

    async def handle(self, event: events.Event) -> None:
        """Answer one event; a fault of ours is answered with 451 and the session goes on."""
        try:
            await self._handle(event)
        except EverpostError as error:
            reply = reply_to(error)
            command = type(event).__name__.lower()
            REFUSED.labels(self._door.name, command, reply.status).inc()
            log.info(
                "command.refused",
                door=self._door.name,
                peer=self._connection.peer.host,
                command=command,
                path=event.path
                if self._door.addresses_in_log and isinstance(event, events.Mail | events.Recipient)
                else None,
                reply=str(reply),
                cause=repr(error.__cause__) if error.__cause__ else None,
            )
            self._refuse(event, reply)
        except Exception:
            log.exception("session.failed", door=self._door.name, peer=self._connection.peer.host)
            self._refuse(event, _BROKEN)

    def patience(self) -> float:
        return self._door.limits.silence

    async def idle(self) -> bool:
        self._machine.close(_SILENT)
        return False

    async def woken(self) -> None:
        if self._door.closing and not self._machine.is_receiving:
            self._close(_CLOSING)

    async def tls_started(self) -> None:
        self._forget()
        self.hello = None
        self._machine.tls_started()
        self._offer_login()

    async def closed(self) -> None:
        self._forget()
        self._door.leave(self._connection)

    # Inside.

    async def _handle(self, event: events.Event) -> None:
        match event:
            case events.Content():
                self._receive(event.data)
            case events.Recipient():
                await self._add_recipient(event)
            case events.Mail():
                await self._begin(event)
            case events.DataStart():
                self._start_content()
            case events.ContentEnd():
                await self._end_content()
            case events.Hello():
                self._forget()
                self.hello = event
                self._machine.reply(Reply(250, None, self._door.config.hostname))
            case events.StartTls():
                self._machine.reply(Reply(220, "2.0.0", "go ahead"))
                self.upgrade = self._door.context
            case events.AuthStart() | events.AuthResponse():
                await self._log_in(event)
            case events.Reset() | events.ContentRefused():
                self._forget()
            case events.Violation():
                VIOLATIONS.labels(self._door.name, event.kind.name.lower()).inc()
                log.info(
                    "rule.broken", door=self._door.name, peer=self._connection.peer.host, kind=event.kind.name.lower()
                )
            case events.AuthCancel():
                if self._login is not None:
                    self._login.cancel()
            case events.Quit() | events.Closed():
                self.finished = True
            case _:
                assert_never(event)

    async def _begin(self, event: events.Mail) -> None:
        if self._door.closing:
            self._machine.reply(_CLOSING)
            return
        if self._door.clock.monotonic() > self._ends_at:
            self._machine.reply(_LONG)
            return
        self._sender = await self._door.policy.sender(event, self.account)
        self._size = event.size or 0
        self._machine.reply(_SENDER)

    async def _add_recipient(self, event: events.Recipient) -> None:
        assert self._sender is not None
        recipient = await self._door.policy.recipient(self._sender, event, len(self._recipients), self._size)
        self._recipients.append(recipient)
        self._machine.reply(_RECIPIENT)

    def _start_content(self) -> None:
        self._taking = Taking(self._door)
        self._machine.reply(_GO)

    def _receive(self, data: bytes) -> None:
        if self._taking is not None and not self._taking.add(data):
            self._close(_SLOW)

    async def _end_content(self) -> None:
        taking = self._taking
        assert taking is not None and self._sender is not None and self.hello is not None
        try:
            if taking.overflowed:
                self._machine.reply(_MEMORY)
                return
            done = await taking.keep(self._sender, tuple(self._recipients), self._connection, self.hello, self.account)
            self._machine.reply(Reply(250, "2.0.0", done))
        finally:
            self._forget()
        if self._door.closing:
            self._close(_CLOSING)

    async def _log_in(self, event: events.AuthStart | events.AuthResponse) -> None:
        assert self._login is not None
        answer = await self._login.step(event)
        if isinstance(answer, bytes):
            self._machine.challenge(answer)
            return
        self.account = answer
        log.info("login.succeeded", door=self._door.name, peer=self._connection.peer.host, account=answer.account_id)
        self._machine.reply(Reply(235, "2.7.0", "welcome"))

    def _offer_login(self) -> None:
        self._machine.mechanisms = self._login.mechanisms() if self._login is not None else ()

    def _refuse(self, event: events.Event, reply: Reply) -> None:
        match event:
            case events.AuthStart() | events.AuthResponse():
                if self._login is not None:
                    self._login.cancel()
                self._machine.reply(reply)
            case (
                events.Hello()
                | events.StartTls()
                | events.Mail()
                | events.Recipient()
                | events.DataStart()
                | events.ContentEnd()
            ):
                self._machine.reply(reply)
            case _:
                # Not to be answered: what we know of the session cannot be trusted any more.
                self._close(_BROKEN)

    def _forget(self) -> None:
        """The transaction is over."""
        if self._taking is not None:
            self._taking.release()
            self._taking = None
        self._sender = None
        self._size = 0
        self._recipients.clear()

    def _close(self, reply: Reply) -> None:
        self._machine.close(reply)
        self.finished = True
