"""Tells a client that a command is still being worked on (RFC 9585)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (9585,)


@contextmanager
def told(session: "Session", command: Command) -> Iterator[None]:
    """Say every `settings.progress_interval` seconds that the command goes on.

    How much is done and how much there is to do is not known, which RFC 9585 section 4 allows. Only for commands
    that never wait in the middle of a response.
    """
    loop = asyncio.get_running_loop()
    code = b"INPROGRESS (%b NIL NIL)" % response.string(command.tag.encode())

    timer: asyncio.TimerHandle | None = None

    def wait() -> None:
        nonlocal timer
        timer = loop.call_later(session.settings.progress_interval, say)

    def say() -> None:
        session.untagged_status(b"OK", "Still at it", code)
        session.connection.send(session.machine.data_to_send())
        wait()

    wait()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
