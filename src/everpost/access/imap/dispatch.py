"""Runs one command: is it known, may it be used now, what came of it, what else is there to tell."""

from typing import TYPE_CHECKING

from everpost.access.imap import progress, sync
from everpost.access.imap.commands.table import TABLE, Entry
from everpost.access.imap.outcome import Outcome, UidRequired, bad, no, refusal
from everpost.access.imap.wire.events import Command
from everpost.core.errors import EverpostError, TryLater
from everpost.core.metrics import counter
from everpost.mailbox.errors import FolderGone
from everpost.net.connection import ConnectionLost

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 9051, 9586)

COMMANDS = counter("access", "imap_commands_total", "IMAP commands answered", ("command", "outcome"))


async def run(session: "Session", command: Command) -> None:
    """Answer a command, or begin one that goes on over several lines. Raises ConnectionLost."""
    entry = TABLE.get(command.name)
    outcome: Outcome | None
    if entry is None:
        outcome = bad(f"There is no command {command.name}")
    elif session.state.name not in entry.states:
        outcome = bad(f"{command.name} does not belong in the {session.state.value} state")
    elif session.uid_only and entry.numbers:
        outcome = refusal(UidRequired(f"after ENABLE UIDONLY only UID {command.name} can be used"))
    else:
        outcome = await _attempt(session, entry, command)
    if outcome is not None:
        await _finish(session, command, outcome)


async def _attempt(session: "Session", entry: Entry, command: Command) -> Outcome | None:
    try:
        if entry.slow:
            with progress.told(session, command):
                return await entry.run(session, command)
        return await entry.run(session, command)
    except ConnectionLost:
        raise
    except FolderGone:
        session.bye(sync.GONE)
        return no("The mailbox is gone", b"NONEXISTENT")
    except EverpostError as error:
        if error.__cause__ is not None:
            session.log.warning("command.failed", command=command.name, reason=error.text, cause=repr(error.__cause__))
        return refusal(error, create=entry.creates)
    except Exception:
        session.log.exception("command.broken", command=command.name)
        return no("Something went wrong here; it was noted", b"SERVERBUG")


async def go_on(session: "Session", data: bytes) -> None:
    """A line for the command that waits for it. Raises ConnectionLost."""
    waiting = session.waiting
    if waiting is None:
        return
    outcome: Outcome | None
    try:
        outcome = await waiting.line(data)
    except ConnectionLost:
        raise
    except EverpostError as error:
        outcome = refusal(error)
    except Exception:
        session.log.exception("command.broken", command=waiting.command.name)
        outcome = no("Something went wrong here; it was noted", b"SERVERBUG")
    if outcome is not None:
        session.end_waiting()
        await _finish(session, waiting.command, outcome)


async def _finish(session: "Session", command: Command, outcome: Outcome) -> None:
    """Tell what changed meanwhile, then the outcome."""
    if session.selected is not None and not session.finished:
        entry = TABLE.get(command.name)
        try:
            await sync.tell(session, expunges=entry is not None and entry.expunges)
        except TryLater as error:
            # The command is done all the same; what changed is told next time.
            session.log.warning("sync.failed", reason=error.text)
    session.tagged(command.tag, outcome)
    COMMANDS.labels(command.name if command.name in TABLE else "other", outcome.kind.decode()).inc()
    if outcome.kind == b"BAD":
        session.count_fault()
    else:
        session.forgive()
