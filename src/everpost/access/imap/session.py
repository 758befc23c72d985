"""One IMAP connection: its state, and what the driver asks of it."""

import ssl
from enum import Enum
from typing import TYPE_CHECKING, Protocol, assert_never

from everpost import __version__
from everpost.access.imap import dispatch
from everpost.access.imap.capability import capabilities
from everpost.access.imap.fetch import FLUSH_BYTES
from everpost.access.imap.outcome import ClientFault, Outcome
from everpost.access.imap.selected import Selected
from everpost.access.imap.settings import ImapSettings
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Closed, Command, Event, Fault, Hopeless, Line, Malformed
from everpost.access.imap.wire.machine import BULKY, ImapMachine, Limits
from everpost.core.clock import Clock
from everpost.core.log import logger
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.net.connection import Connection
from everpost.net.drive import SEND_SECONDS
from everpost.net.tls import Certificates

if TYPE_CHECKING:
    from everpost.accounts.authenticate import Authenticator
    from everpost.accounts.values import Account

log = logger("imap")

RFCS = (3501, 9051)

PIECE_BYTES = 128 * 1024


class State(Enum):
    """RFC 9051 section 3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


class Waiting(Protocol):
    """A command that goes on over several lines (AUTHENTICATE, IDLE)."""

    command: Command

    async def line(self, data: bytes) -> Outcome | None:
        """Take a line; None to wait for another."""
        ...

    async def woken(self) -> None:
        """Something may have changed."""
        ...

    def ended(self) -> None:
        """The command is over, whatever its outcome."""
        ...


class Session:
    """Answers the events of an `ImapMachine`; see `net.drive`."""

    def __init__(
        self,
        connection: Connection,
        machine: ImapMachine,
        *,
        mailboxes: Mailboxes,
        authenticator: "Authenticator",
        certificates: Certificates | None,
        settings: ImapSettings,
        clock: Clock,
    ) -> None:
        self.connection = connection
        self.machine = machine
        self.mailboxes = mailboxes
        self.authenticator = authenticator
        self.certificates = certificates
        self.settings = settings
        self.clock = clock
        self.finished = False
        self.upgrade: ssl.SSLContext | None = None
        self.account: Account | None = None
        self.mail: AccountMail | None = None
        self.selected: Selected | None = None
        self.waiting: Waiting | None = None
        self.rev2 = False
        """The client said ENABLE IMAP4rev2."""
        self.condstore = False
        """The client uses CONDSTORE (RFC 7162 section 3.1)."""
        self.qresync = False
        """The client said ENABLE QRESYNC (RFC 7162 section 3.2.3)."""
        self.utf8_accept = False
        """The client said ENABLE UTF8=ACCEPT (RFC 6855 section 3)."""
        self.uid_only = False
        """The client said ENABLE UIDONLY: no sequence numbers are taken or told (RFC 9586)."""
        self.failures = 0
        """Failed logins."""
        self.log = log.bind(peer=connection.peer.host)
        self._faults = 0
        self._shut_down: str | None = None
        self._began = clock.monotonic()
        self._heard = self._began
        self._spoke = self._began

    # What net.drive calls.

    async def start(self) -> None:
        """Greet."""
        self.untagged_status(b"OK", f"{self.settings.hostname} Everpost {__version__} ready", self.capability_code())

    async def handle(self, event: Event) -> None:
        """Answer an event."""
        self._heard = self.clock.monotonic()
        if self._shut_down is not None and not isinstance(event, Closed):
            self.bye(self._shut_down)
            return
        match event:
            case Command():
                await dispatch.run(self, event)
            case Line(data):
                await dispatch.go_on(self, data)
            case Malformed():
                self._refuse(event)
            case Hopeless():
                self.bye("Too much input that cannot be used", b"LIMIT")
            case Closed():
                self.finished = True
            case _:
                assert_never(event)

    async def woken(self) -> None:
        """The mailbox may have changed, or the node stops."""
        if self._shut_down is not None:
            self.bye(self._shut_down)
        elif self.waiting is not None:
            await self.waiting.woken()

    def patience(self) -> float:
        """Until the next thing that happens by itself, in seconds."""
        now = self.clock.monotonic()
        if self.mail is None:
            return max(self._began + self.settings.preauth_timeout - now, 0.0)
        left = max(self._heard + self.settings.idle_timeout - now, 0.0)
        if self.waiting is not None:
            return min(left, self.settings.poll_interval)
        return left

    async def idle(self) -> bool:
        """The client said nothing for as long as `patience` allowed."""
        now = self.clock.monotonic()
        if self.mail is None:
            self.bye("Nobody logged in")
            return False
        if now - self._heard >= self.settings.idle_timeout:
            self.bye("Nothing was heard for too long")
            return False
        if self.waiting is not None:
            await self.waiting.woken()
            if not self.finished and now - self._spoke >= self.settings.keepalive:
                self.untagged_status(b"OK", "Still here")
        return not self.finished

    async def tls_started(self) -> None:
        """Nothing that came in the clear counts (RFC 9051 section 6.2.1)."""
        self.machine.discard_input()

    async def closed(self) -> None:
        """The end."""
        self.end_waiting()
        self.unselect()

    # What the node calls.

    def shut_down(self, text: str) -> None:
        """Say BYE as soon as the command that is running is done."""
        self._shut_down = text
        self.connection.wake()

    # What commands use.

    @property
    def state(self) -> State:
        """Where the session is in RFC 9051's diagram."""
        if self.finished:
            return State.LOGOUT
        if self.mail is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.selected is None else State.SELECTED

    @property
    def utf8(self) -> bool:
        """Whether mailbox names are UTF-8 on the wire."""
        return self.rev2 or self.utf8_accept

    @property
    def is_private(self) -> bool:
        """Whether passwords may be sent."""
        return self.connection.tls is not None or self.settings.allow_plaintext

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS may be used now."""
        return self.certificates is not None and self.connection.tls is None and self.mail is None

    @property
    def may_login(self) -> bool:
        """Whether LOGIN may be used now."""
        return self.is_private

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms that may be used now."""
        return self.authenticator.mechanisms(tls=self.is_private, binding=self.connection.binds_channels)

    def channel_binding(self, kind: str) -> bytes | None:
        """For SCRAM-SHA-256-PLUS; None where logins cannot be bound."""
        return self.connection.channel_binding(kind) if self.connection.binds_channels else None

    def capability_code(self) -> bytes:
        """The CAPABILITY response code."""
        return b"CAPABILITY " + capabilities(self)

    async def log_in(self, account: "Account") -> None:
        """The client is who it says it is. Raises StoreUnavailable."""
        self.mail = await self.mailboxes.open(account.account_id, account.quota_bytes)
        self.account = account
        self.machine.limits = self.settings.limits
        self.log = self.log.bind(account_id=account.account_id)
        self.log.info("session.authenticated", tls=self.connection.tls.version if self.connection.tls else None)

    def log_out(self) -> None:
        """Nobody is logged in any more: as after the greeting, but for TLS and compression."""
        self.unselect()
        self.mail = self.account = None
        self.rev2 = self.condstore = self.qresync = self.utf8_accept = self.uid_only = False
        self.machine.limits = Limits()
        self.log = log.bind(peer=self.connection.peer.host)
        self._began = self.clock.monotonic()

    def need_mail(self) -> AccountMail:
        """The account's mail; the command table allows the caller only after login."""
        assert self.mail is not None
        return self.mail

    def need_selected(self) -> Selected:
        """The selected mailbox; the command table allows the caller only in the selected state."""
        if self.selected is None:
            raise ClientFault("no mailbox is selected")
        return self.selected

    def unselect(self) -> bool:
        """Let go of the selected mailbox; whether there was one."""
        if self.selected is None:
            return False
        self.selected.view.close()
        self.selected = None
        return True

    def enable_condstore(self) -> None:
        """A command was used that enables CONDSTORE (RFC 7162 section 3.1)."""
        if self.condstore:
            return
        self.condstore = True
        if self.selected is not None:
            self.untagged_status(b"OK", "CONDSTORE is on", b"HIGHESTMODSEQ %d" % self.selected.view.highest_modseq)

    # Output.

    def untagged(self, *words: bytes) -> None:
        """`* ` and the words."""
        self.machine.send(response.untagged(*words))

    def untagged_status(self, kind: bytes, text: str, code: bytes | None = None) -> None:
        """`* OK [CODE] text`."""
        self._spoke = self.clock.monotonic()
        self.machine.send(response.status(b"*", kind, text, code))

    def tagged(self, tag: str, outcome: Outcome) -> None:
        """The end of a command."""
        self.machine.send(response.status(tag.encode(), outcome.kind, outcome.text, outcome.code))

    def ask(self, text: bytes) -> None:
        """`+ text`: the next line belongs to the command that waits for it."""
        self.machine.send(b"+ %b\r\n" % text)
        self.machine.expect_line()

    def bye(self, text: str, code: bytes | None = None) -> None:
        """Say why, and end."""
        if not self.finished:
            self.untagged_status(b"BYE", text, code)
            self.finished = True

    async def flush(self, *, full: bool = False) -> None:
        """Let the network take what was said; with `full` only if it is much. Raises ConnectionLost."""
        if self.machine.pending and (not full or self.machine.pending >= FLUSH_BYTES):
            self.connection.send(self.machine.data_to_send())
            await self.connection.drain(SEND_SECONDS)

    async def send_bulk(self, data: bytes) -> None:
        """Say something large piece by piece, so that the output stays small. Raises ConnectionLost."""
        if len(data) <= PIECE_BYTES:
            self.machine.send(data)
            return
        for start in range(0, len(data), PIECE_BYTES):
            self.machine.send(data[start : start + PIECE_BYTES])
            await self.flush(full=True)

    # Faults of the client.

    def count_fault(self) -> None:
        """A command could not be understood; too many in a row end the connection."""
        self._faults += 1
        if self._faults >= self.settings.max_faults:
            self.bye("Too many commands that cannot be understood", b"CLIENTBUG")

    def forgive(self) -> None:
        """A command was understood."""
        self._faults = 0

    def end_waiting(self) -> None:
        """No command waits for a line any more."""
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.ended()

    def _refuse(self, event: Malformed) -> None:
        tag = event.tag
        if self.waiting is not None:
            tag = self.waiting.command.tag
            self.end_waiting()
        kind, code = b"BAD", None
        if event.fault is Fault.TOO_BIG:
            # RFC 7889 section 2: a message that is too large is refused with NO.
            kind, code = (b"NO" if event.name in BULKY else b"BAD"), b"TOOBIG"
        self.machine.send(response.status(tag.encode() if tag else b"*", kind, _sentence(event.fault.value), code))
        if event.fault is not Fault.TOO_BIG or event.name not in BULKY:
            self.count_fault()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
