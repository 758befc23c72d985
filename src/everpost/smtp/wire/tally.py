"""What a client may do wrong, or in vain, before a session with it ends."""

from everpost.smtp.wire.config import ServerConfig
from everpost.smtp.wire.events import ViolationKind

# Recipients refused in one transaction: a client that pipelines a long list hears of all of it, but not forever.
MAX_REFUSED_RECIPIENTS = 1_000


class Tally:
    """Counts of one session. Each count returns the rule that is broken now, if one is."""

    __slots__ = ("_config", "_errors", "_idle", "_refused")

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._errors = 0
        self._idle = 0
        self._refused = 0

    def error(self) -> ViolationKind | None:
        """A command was refused for good."""
        self._errors += 1
        return ViolationKind.TOO_MANY_ERRORS if self._errors > self._config.max_errors else None

    def idle(self) -> ViolationKind | None:
        """A command brought no message nearer."""
        self._idle += 1
        return ViolationKind.NO_PROGRESS if self._idle > self._config.max_idle_commands else None

    def refused_recipient(self) -> ViolationKind | None:
        """A recipient was refused for now. Not an error: the client may have done nothing wrong."""
        self._refused += 1
        return ViolationKind.NO_PROGRESS if self._refused > MAX_REFUSED_RECIPIENTS else None

    def transaction_ended(self) -> None:
        """The next one may name as many recipients again."""
        self._refused = 0

    def message_ended(self) -> None:
        """The client is here for a reason."""
        self._idle = 0
