"""What a node claims on its machine before its workers start: its run folder, and every port it listens on."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from everpost.core.errors import Broken, Refused
from everpost.net.listen import bind
from everpost.node.settings.model import HostPort, Settings


class PortTaken(Refused):
    """Somebody else listens there."""


class RunFolder:
    """A lock on the run folder, held while the node runs: two nodes never share one."""

    def __init__(self, folder: Path) -> None:
        """Raises Refused."""
        self._fd = os.open(folder / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise Refused(f"another node runs already with the folder {folder}") from error

    def close(self) -> None:
        os.close(self._fd)


def listeners(settings: Settings) -> Iterator[tuple[str, HostPort]]:
    """Every place this node's roles listen on, with the name of its key."""
    listen, roles = settings.listen, settings.node.roles
    keys = {
        "mx": ("smtp",),
        "submission": ("submission", "submissions"),
        "imap": ("imap", "imaps"),
        "pop3": ("pop3", "pop3s"),
        "web": ("http", "https"),
    }
    for role in roles:
        for key in keys.get(role, ()):
            for place in usable(getattr(listen, key)):
                yield key, place


def usable(places: Sequence[HostPort]) -> list[HostPort]:
    """The places of one service, without `[::]` on a machine that has no IPv6."""
    return [place for place in places if place.host != "::" or has_ipv6()]


def check_port(place: HostPort) -> None:
    """Whether a place can be listened on now.

    Workers share their ports, so one of another node of the same user would go unnoticed: mail would be
    divided among the two. Raises PortTaken, Broken.
    """
    try:
        bind(place.host, place.port, reuse_port=False).close()
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                raise PortTaken(f"something else listens on {place} already") from error
            case errno.EACCES | errno.EPERM:
                raise Refused(
                    f"this user may not listen on {place}; ports below 1024 need root at the start"
                ) from error
            case errno.EADDRNOTAVAIL:
                raise Refused(f"this machine does not have the address {place.host}") from error
            case _:
                raise Broken(f"cannot listen on {place}: {os.strerror(error.errno or 0)}") from error


def has_ipv6() -> bool:
    """Whether this machine can listen on IPv6 addresses."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
