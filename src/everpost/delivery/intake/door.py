"""A door: one way mail comes in, with what it allows, its limits and everything its sessions share."""

import random
import ssl
from dataclasses import dataclass, field
from typing import Protocol

from everpost.accounts.authenticate import Authenticator
from everpost.accounts.directory import Account
from everpost.core.clock import Clock
from everpost.delivery.accept import Acceptor
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.intake.trace import Dates
from everpost.delivery.plan import Refusal
from everpost.net.connection import Connection
from everpost.net.tls import Certificates
from everpost.smtp.wire import events
from everpost.smtp.wire.server import ServerConfig


class Policy(Protocol):
    """What a door allows. Every method raises Refused or TryLater to say no."""

    async def sender(self, mail: events.Mail, account: Account | None) -> Sender:
        """Whether this sender may send here; `account` is who logged in."""
        ...

    async def recipient(self, sender: Sender, to: events.Recipient, others: int, size: int) -> Recipient:
        """Where mail for a recipient goes. `others` were accepted before; `size` was announced (0: nothing was)."""
        ...

    async def content(
        self, sender: Sender, recipients: tuple[Recipient, ...], raw: bytes
    ) -> tuple[bytes, list[Refusal]]:
        """The message as it is to be kept, without our trace fields, and recipients it cannot reach."""
        ...


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Times in seconds."""

    silence: float = 300.0
    """RFC 5321 section 4.5.3.2.7: a server waits at least 5 minutes for a command."""
    content: float = 1800.0
    """For one message's bytes, however slowly they come."""
    session: float = 7200.0
    """After this no new message is begun."""


@dataclass(slots=True)
class Memory:
    """How many bytes of messages the sessions of this worker may hold together."""

    limit: int = 512 * 1024 * 1024
    used: int = 0

    def take(self, size: int) -> bool:
        """Count them; False, and nothing counted, if that is too much."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    def give(self, size: int) -> None:
        """Take them off again."""
        self.used -= size


@dataclass(slots=True)
class Door:
    """Shared by all sessions of one listener; `intake.serve.serve` runs one session."""

    name: str
    """For log and metrics: `mx`, `submission`."""
    config: ServerConfig
    policy: Policy
    acceptor: Acceptor
    clock: Clock
    chance: random.Random
    """The operating system's: ids of messages must not be guessed."""
    dates: Dates
    certificates: Certificates | None = None
    authenticator: Authenticator | None = None
    """Where login is offered."""
    limits: SessionLimits = SessionLimits()
    memory: Memory = field(default_factory=Memory)
    addresses_in_log: bool = False
    """Whether the operator keeps addresses in the log."""
    closing: bool = False
    """The node stops: sessions end as soon as they can."""
    _connections: set[Connection] = field(default_factory=set)

    @property
    def context(self) -> ssl.SSLContext | None:
        """For STARTTLS."""
        return None if self.certificates is None else self.certificates.context

    def enter(self, connection: Connection) -> None:
        """A session begins."""
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """A session has ended."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Sessions that receive no message end now, the others after their message. The listener's `stop`
        waits for them.
        """
        self.closing = True
        for connection in self._connections:
            connection.wake()
