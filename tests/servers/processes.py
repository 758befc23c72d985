"""Looking at processes through /proc, and making sure they end."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


class NotInTime(AssertionError):
    """Something did not happen within its limit."""


def wait_until(true: Callable[[], bool], seconds: float, what: str, pause: float = 0.02) -> None:
    """Wait for a condition; raise NotInTime naming `what` when it is not met in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise NotInTime(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third (state) on; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def alive(pid: int) -> bool:
    """True for a process that runs (a zombie does not)."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in {"Z", "X"}


def children(pid: int) -> list[int]:
    """The direct children of a process, in the order of their ids."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat is not None and stat[1] == str(pid) and stat[0] not in {"Z", "X"}:
                found.append(int(entry.name))
    return sorted(found)


def tree(pid: int) -> list[int]:
    """A process and all its descendants, parents first."""
    found = [pid]
    for one in found:
        found.extend(children(one))
    return found


def command(pid: int) -> str:
    """The command line, words separated by spaces; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time these processes have used so far, with that of children they have waited for."""
    ticks = 0
    for pid in pids:
        stat = _stat(pid)
        if stat is not None:
            ticks += sum(int(value) for value in stat[11:15])
    return ticks * _TICK


def guarded(arguments: Sequence[str], user: str | None = None) -> list[str]:
    """The command that runs `arguments` as `user` and gets SIGTERM when the thread that started it ends.

    So nothing is left behind even by a test run that was killed. `setpriv` is part of util-linux.
    """
    prefix = ["setpriv", "--pdeathsig", "TERM"]
    if user is not None:
        prefix += ["--reuid", user, "--regid", user, "--init-groups"]
    return [*prefix, "--", *arguments]


def kill_all(pids: Iterable[int]) -> None:
    """SIGKILL, for those that still are."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end(process: subprocess.Popen[bytes], number: signal.Signals, seconds: float) -> bool:
    """Send a signal and wait; after `seconds` kill the whole tree. True if it ended by itself."""
    family = tree(process.pid) if process.poll() is None else []
    if family:
        process.send_signal(number)
    try:
        process.wait(seconds)
        ended = True
    except subprocess.TimeoutExpired:
        ended = False
    kill_all(pid for pid in family if pid != process.pid and alive(pid))
    if not ended:
        process.kill()
        process.wait(10)
    return ended
