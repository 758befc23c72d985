"""The write lock between worker processes.

SQLite lets a second writer wait by sleeping and asking again, up to 100 ms at a time. A `flock` wakes the
next process at once, and the kernel lets go of it when its holder dies.
"""

import fcntl
import os
from pathlib import Path


class WriteLock:
    """Held by the process whose group of transactions is running."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_take(self) -> bool:
        """Take the lock if it is free."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def take(self) -> None:
        """Wait for the lock; call this off the event loop."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def release(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._fd)
