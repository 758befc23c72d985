"""Checking passwords against slow hashes: in threads, few at a time, with an end to the queue."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from everpost.accounts import passwords
from everpost.core.errors import TryLater

Verify = Callable[[str, str], bool]


class TooBusy(TryLater):
    """More passwords wait to be checked than can be in reasonable time."""

    default_status = "4.7.0"


class PasswordChecks:
    """A few threads; argon2 holds no lock of the interpreter while it works."""

    def __init__(self, threads: int = 2, max_waiting: int = 100, verify: Verify = passwords.verify) -> None:
        """`verify` is called with an argon2 hash and a password, in a thread."""
        self._max = threads + max_waiting
        self._verify = verify
        self._running = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")

    async def check(self, argon2: str, password: str) -> bool:
        """Whether it is the password. Raises TooBusy."""
        if self._running >= self._max:
            raise TooBusy("too many logins at the moment; try again later")
        self._running += 1
        try:
            job = self._pool.submit(self._verify, argon2, password)
        except BaseException:
            self._running -= 1
            raise
        loop = asyncio.get_running_loop()
        # Counted until the thread is done: a client that went away has not made room.
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done) if not loop.is_closed() else None)
        return await asyncio.wrap_future(job)

    def _done(self) -> None:
        self._running -= 1

    def close(self) -> None:
        """Forget what waits and end the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
