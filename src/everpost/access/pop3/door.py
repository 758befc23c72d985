"""The POP3 door: what its sessions share."""

import ssl
from dataclasses import dataclass, field
from typing import Protocol

from everpost.access.pop3.wire.server import Pop3Config
from everpost.accounts.authenticate import Authenticator
from everpost.core.clock import Clock
from everpost.mailbox.account import Mailboxes
from everpost.net.connection import Connection
from everpost.net.tls import Certificates


class Lease(Protocol):
    """A lock that is held; `store.leases.Lease` is one."""

    async def renew(self, seconds: float) -> bool:
        """Hold it for `seconds` from now; False if it was lost."""
        ...

    async def release(self) -> None:
        """Let go."""
        ...


class Locks(Protocol):
    """Locks of the whole cluster; `store.leases.Leases` are."""

    async def acquire(self, name: str, seconds: float) -> Lease | None:
        """Take a name for so long; None if somebody holds it. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Pop3Limits:
    """Times in seconds."""

    # Unlike RFC 1939 section 3: less than ten minutes before login, because strangers hold connections so.
    login: float = 180.0
    """From the connection to the login."""
    silence: float = 600.0
    """RFC 1939 section 3: at least ten minutes."""
    lease: float = 60.0
    """How long a maildrop stays locked when its worker has died."""
    send: float = 300.0
    """A client that takes nothing for so long is gone."""


@dataclass(slots=True)
class Pop3Door:
    """Shared by all sessions of this worker; `serve.serve` runs one."""

    config: Pop3Config
    authenticator: Authenticator
    mailboxes: Mailboxes
    locks: Locks
    clock: Clock
    certificates: Certificates | None = None
    limits: Pop3Limits = Pop3Limits()
    closing: bool = False
    """The node stops: sessions end."""
    _connections: set[Connection] = field(default_factory=set)

    @property
    def context(self) -> ssl.SSLContext | None:
        """For STLS."""
        return None if self.certificates is None else self.certificates.context

    def enter(self, connection: Connection) -> None:
        """A session begins."""
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """A session has ended."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Sessions end now, without deleting anything (RFC 1939 section 6)."""
        self.closing = True
        for connection in self._connections:
            connection.wake()
