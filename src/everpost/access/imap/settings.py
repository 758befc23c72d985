"""What an operator may set about IMAP."""

from dataclasses import dataclass

from everpost.access.imap.wire.machine import Limits


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """The same for every session of a node. Times in seconds, sizes in bytes."""

    hostname: str = "localhost"
    allow_plaintext: bool = False
    """Passwords may be sent without TLS; for a demonstration on loopback only."""
    max_literal: int = 50 * 1024 * 1024
    """The largest message that APPEND takes."""
    max_command: int = 64 * 1024
    """The longest command after login; before it, 8 KiB."""
    idle_timeout: float = 30 * 60
    """A client that says nothing for so long is logged out (RFC 9051 section 5.4: at least 30 minutes)."""
    preauth_timeout: float = 60
    """A client has to log in within this time."""
    poll_interval: float = 60
    """How often an IDLE session looks by itself, in case a wake-up was lost."""
    keepalive: float = 300
    """How often an IDLE client that hears nothing is told that the server is there."""
    progress_interval: float = 10
    """How often a client that waits for a long search, copy or removal is told that it goes on (RFC 9585)."""
    message_limit: int = 0
    """So many messages one command works on at most (RFC 9738); 0 for no limit. Few clients know what to do then."""
    max_faults: int = 20
    """So many commands in a row that cannot be understood end the connection."""
    max_failures: int = 4
    """So many failed logins end the connection."""

    @property
    def limits(self) -> Limits:
        """What a client may send once it has logged in."""
        return Limits(
            command=self.max_command,
            literals=self.max_command,
            message=self.max_literal,
            waste=max(self.max_literal, 1024 * 1024),
        )
