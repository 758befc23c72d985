"""Folders, disk, clock, file descriptors, ports."""

import errno
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import everpost
from everpost.core.errors import EverpostError, Refused
from everpost.node import places
from everpost.node.check.finding import Finding, fault, ok, warning
from everpost.node.settings.model import Settings

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
# Below these the disk is called full, or nearly so (bytes).
FULL_BYTES = 200 * _MIB
LOW_BYTES = 2 * _GIB
# Every delivery waits for one (seconds).
SLOW_FSYNC = 0.05
# Clocks further apart than this confuse leases and dates (seconds).
CLOCK_SECONDS = 2.0


def folders(settings: Settings) -> Iterator[Finding]:
    """Data and run folder can be written, made durable, and have room."""
    yield from _writable("data folder", settings.node.data_dir)
    yield from _writable("run folder", settings.node.run_dir)
    folder = _existing(settings.node.data_dir)
    usage = shutil.disk_usage(folder)
    text = f"{usage.free / _GIB:.1f} GiB of {usage.total / _GIB:.0f} GiB are free at {folder}"
    if usage.free < FULL_BYTES:
        yield fault("disk", text, "make room; mail is refused with 4xx while nothing can be written")
    elif usage.free < LOW_BYTES:
        yield warning("disk", text, "make room soon")
    else:
        yield ok("disk", text)


def _writable(subject: str, folder: Path) -> Iterator[Finding]:
    place = _existing(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".everpost-check-") as file:
            times = [_fsync_seconds(file.fileno()) for _ in range(5)]
            age = abs(os.fstat(file.fileno()).st_mtime - time.time())
    except OSError as error:
        if error.errno == errno.ENOSPC:
            yield fault(subject, f"the disk of {place} is full", "make room")
        else:
            who = "this user" if os.geteuid() else "root"
            yield fault(
                subject,
                f"{who} cannot write to {place}: {os.strerror(error.errno or 0)}",
                f"chown it to the user that Everpost runs as, or run check as that user: {folder}",
            )
        return
    if age > CLOCK_SECONDS:
        yield fault(
            "clock", f"the file system of {place} is {age:.0f} s away from this machine's clock", "run NTP on both"
        )
    usual = statistics.median(times)
    if usual > SLOW_FSYNC:
        yield warning(
            subject, f"{place}: making 4 KiB durable takes {usual * 1000:.0f} ms", "use a faster disk for node.data_dir"
        )
    else:
        yield ok(subject, f"{place} can be written; making 4 KiB durable takes {usual * 1000:.1f} ms")


def _fsync_seconds(fd: int) -> float:
    os.write(fd, b"\0" * 4096)
    began = time.perf_counter()
    os.fsync(fd)
    return time.perf_counter() - began


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: it will be made inside."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def clock() -> Iterator[Finding]:
    """Not before this program was installed. What a database says is compared by `store`."""
    installed = Path(everpost.__file__).stat().st_mtime
    if time.time() < installed - CLOCK_SECONDS:
        yield fault("clock", "it stands before the time at which Everpost was installed", "set it, and run NTP")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()))


def files(settings: Settings) -> Iterator[Finding]:
    """Every connection needs a file descriptor; workers raise their own limit as far as they may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.limits.connections
    if hard != resource.RLIM_INFINITY and hard < wanted:
        yield warning(
            "open files",
            f"a process may open {hard}, but limits.connections is {wanted}",
            "LimitNOFILE=65536 in the systemd unit, or ulimit -Hn 65536",
        )
    else:
        yield ok("open files", "without limit" if hard == resource.RLIM_INFINITY else f"up to {hard} a process")


def ports(settings: Settings) -> Iterator[Finding]:
    """Every port can be had, unless this very node has them now."""
    if settings.node.run_dir.is_dir():
        try:
            places.RunFolder(settings.node.run_dir).close()
        except (Refused, OSError):
            yield ok("ports", "this node is running and has its ports")
            return
    free = []
    for name, place in places.listeners(settings):
        try:
            places.check_port(place)
        except EverpostError as error:
            yield fault(
                f"port {place.port}",
                error.text,
                f"end what uses it (ss -ltnp), or change listen.{name} in the settings",
            )
        else:
            free.append(str(place))
    if free:
        yield ok("ports", f"free: {', '.join(free)}")
