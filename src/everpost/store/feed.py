"""The change feed: who subscribed to a topic hears that it changed, on every worker and node.

A wake-up is a topic and a number (a modseq, or 0), coalesced and never inside a transaction. In this
process it is a call; other workers of the node get a datagram on a Unix socket each; other nodes hear it
through a `Relay` (PostgreSQL's LISTEN/NOTIFY). A lost wake-up costs latency, never correctness: whoever
subscribes also looks by itself from time to time.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from everpost.core.log import logger

log = logger("store")

# A datagram carries at most this many bytes of topics; more go into the next.
DATAGRAM_BYTES = 8_000
# How often the folder of sockets is read for workers that came or went (seconds).
PEERS_SECONDS = 1.0

Listener = Callable[[int], None]


class Relay(Protocol):
    """Carries wake-ups between nodes."""

    def send(self, changes: dict[str, int]) -> None:
        """Pass these on, some time soon; never waits, never raises."""
        ...


@dataclass(slots=True, eq=False)
class Subscription:
    """An interest in a topic, until closed."""

    feed: "Feed"
    topic: str
    call: Listener

    def close(self) -> None:
        """Hear nothing more; may be called twice."""
        self.feed.unsubscribe(self)


@dataclass(slots=True)
class Feed:
    """One worker's part of the change feed. Without a folder it serves this process alone."""

    folder: Path | None = None
    """Where the node's workers keep their sockets."""
    name: str = "worker"
    """This worker's name, unique on the node."""
    relay: Relay | None = None
    _subscriptions: dict[str, list[Subscription]] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)
    _socket: socket.socket | None = None
    _peers: tuple[str, ...] = ()
    _peers_read: float = -PEERS_SECONDS
    _loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Open this worker's socket; call from the running event loop."""
        self._loop = asyncio.get_running_loop()
        if self.folder is None:
            return
        path = self.folder / f"{self.name}.feed"
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        self._loop.add_reader(self._socket.fileno(), self._receive)

    def stop(self) -> None:
        """Send what waits and close the socket."""
        self._flush()
        if self._socket is not None and self._loop is not None and self.folder is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            (self.folder / f"{self.name}.feed").unlink(missing_ok=True)

    def subscribe(self, topic: str, call: Listener) -> Subscription:
        """`call` is called with the value of each change; it must be quick and must not raise."""
        subscription = Subscription(self, topic, call)
        self._subscriptions.setdefault(topic, []).append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """See Subscription.close."""
        listeners = self._subscriptions.get(subscription.topic)
        if listeners is not None and subscription in listeners:
            listeners.remove(subscription)
            if not listeners:
                del self._subscriptions[subscription.topic]

    def publish(self, topic: str, value: int = 0) -> None:
        """Tell everybody. Call it after the commit."""
        self._tell(topic, value)
        if self._socket is None and self.relay is None:
            return
        if not self._waiting and self._loop is not None:
            self._loop.call_soon(self._flush)
        self._waiting[topic] = max(value, self._waiting.get(topic, 0))

    def receive(self, changes: dict[str, int]) -> None:
        """From the relay: changes made on other nodes, for this worker alone."""
        for topic, value in changes.items():
            self._tell(topic, value)

    def _tell(self, topic: str, value: int) -> None:
        for subscription in tuple(self._subscriptions.get(topic, ())):
            subscription.call(value)

    def _flush(self) -> None:
        if not self._waiting:
            return
        changes, self._waiting = self._waiting, {}
        if self.relay is not None:
            self.relay.send(changes)
        if self._socket is None:
            return
        for datagram in _datagrams(changes):
            for peer in self._find_peers():
                # A full or dead peer misses a wake-up and finds the change when it looks by itself.
                with contextlib.suppress(OSError):
                    self._socket.sendto(datagram, peer)

    def _find_peers(self) -> tuple[str, ...]:
        assert self.folder is not None and self._loop is not None
        now = self._loop.time()
        if now - self._peers_read >= PEERS_SECONDS:
            self._peers_read = now
            own = f"{self.name}.feed"
            self._peers = tuple(str(path) for path in self.folder.glob("*.feed") if path.name != own)
        return self._peers

    def _receive(self) -> None:
        assert self._socket is not None
        for _ in range(64):
            try:
                datagram = self._socket.recv(DATAGRAM_BYTES * 2)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.warning("feed.failed", error=str(error))
                return
            for line in datagram.decode("utf-8", "replace").splitlines():
                topic, _, value = line.rpartition(" ")
                if value.isdigit():
                    self._tell(topic, int(value))


def _datagrams(changes: dict[str, int]) -> list[bytes]:
    """The changes as lines `topic value`, packed into as few datagrams as will hold them."""
    datagrams: list[bytes] = []
    lines: list[bytes] = []
    length = 0
    for topic, value in changes.items():
        line = f"{topic} {value}\n".encode()
        if length + len(line) > DATAGRAM_BYTES:
            datagrams.append(b"".join(lines))
            lines, length = [], 0
        lines.append(line)
        length += len(line)
    if lines:
        datagrams.append(b"".join(lines))
    return datagrams
