"""Logging in during an SMTP session (RFC 4954)."""

from everpost.accounts.authenticate import Authenticator, AuthSession
from everpost.accounts.directory import Account
from everpost.delivery.intake.door import Door
from everpost.net.connection import Connection
from everpost.smtp.wire import events

RFCS = (4954,)


class Login:
    """One session's attempts to log in."""

    def __init__(self, authenticator: Authenticator, door: Door, connection: Connection) -> None:
        self._authenticator = authenticator
        self._door = door
        self._connection = connection
        self._running: AuthSession | None = None

    def mechanisms(self) -> tuple[str, ...]:
        """What may be offered now; nothing without TLS (unless the authenticator was told otherwise)."""
        tls = self._connection.tls is not None
        return self._authenticator.mechanisms(tls, self._connection.binds_channels)

    async def step(self, event: events.AuthStart | events.AuthResponse) -> bytes | Account:
        """The next challenge, or who it is. Raises BadLogin, TooManyFailures."""
        if isinstance(event, events.AuthStart):
            peer = self._connection.peer.host
            self._running = self._authenticator.session(event.mechanism, peer, "submission", self._binding)
            answer = await self._running.step(event.initial)
        else:
            assert self._running is not None
            answer = await self._running.step(event.data)
        if not isinstance(answer, bytes):
            self._running = None
        return answer

    def cancel(self) -> None:
        """The exchange is over without success."""
        self._running = None

    def _binding(self, kind: str) -> bytes | None:
        """Channel binding data (RFC 5929) for SCRAM-SHA-256-PLUS; None where logins cannot be bound."""
        return self._connection.channel_binding(kind) if self._connection.binds_channels else None
