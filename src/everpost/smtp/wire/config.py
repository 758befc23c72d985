"""What an SMTP server's machine is told once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What does not change during a session."""

    hostname: str
    max_size: int = 50 * 1024 * 1024
    """Octets of a message."""
    max_recipients: int = 100
    max_messages: int = 1_000
    """Messages in one session."""
    max_errors: int = 20
    """Refused commands in one session, unknown recipients among them."""
    max_idle_commands: int = 100
    """Commands since the last message that brought none nearer, temporarily refused ones among them."""
    tls_available: bool = False
    require_tls: bool = False
    """Nothing but greeting, STARTTLS and QUIT before TLS (530, RFC 3207 section 4)."""
