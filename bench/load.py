"""A light SMTP load generator: one process, epoll, many connections; prints its own cost beside the result."""

import argparse
import collections
import itertools
import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field

from bench.mail import Body, pool

READ_BYTES = 4096
# With no reply at all for this long the run has failed (seconds).
STALLED_SECONDS = 60.0


@dataclass(slots=True)
class Result:
    """What a run saw."""

    sent: int = 0
    """Messages answered 250."""
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    """Other final replies, by their text."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from the last byte of a message handed to the kernel to its 250."""
    bytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """This process's own, without preparing the messages."""


class Session:
    """One SMTP connection: greeting, EHLO, then `reuse` messages, MAIL RCPT DATA pipelined."""

    __slots__ = ("blocked", "body", "left", "out", "received", "sent_at", "socket", "waiting", "wrote_body")

    def __init__(self, address: tuple[str, int], reuse: int) -> None:
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = reuse
        self.received = b""
        # Replies still to come before the next step, with what each must begin with.
        self.waiting = collections.deque((b"220", b"EHLO"))
        self.out = memoryview(b"")
        self.blocked = False
        self.body = b""
        self.wrote_body = False
        self.sent_at = 0.0


class Load:
    """Sends `messages` messages over `connections` connections that are replaced when used up."""

    def __init__(
        self,
        address: tuple[str, int],
        recipients: list[str],
        bodies: list[Body],
        *,
        messages: int,
        connections: int,
        reuse: int,
        first_number: int = 0,
    ) -> None:
        self.address = address
        self.connections = connections
        self.reuse = reuse
        self.messages = messages
        self.started = 0
        self.result = Result()
        self.epoll = select.epoll()
        self.sessions: dict[int, Session] = {}
        self._numbers = itertools.count(first_number)
        self._recipients = itertools.cycle([recipient.encode() for recipient in recipients])
        # Dots are doubled once, here (RFC 5321 section 4.5.2).
        self._bodies = itertools.cycle(
            [body.fields + b"\r\n" + body.content.replace(b"\r\n.", b"\r\n..") + b".\r\n" for body in bodies]
        )

    def run(self) -> Result:
        """Send all of it. Raises RuntimeError when nothing moves any more."""
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(min(self.connections, self.messages)):
            self._open()
        while self.sessions:
            events = self.epoll.poll(STALLED_SECONDS)
            if not events:
                raise RuntimeError(f"no reply for {STALLED_SECONDS} s: {self.result}")
            for number, mask in events:
                session = self.sessions.get(number)
                if session is None:
                    continue
                if mask & select.EPOLLOUT:
                    self._flush(session)
                if mask & ~select.EPOLLOUT:
                    self._read(session)
        self.result.seconds = time.perf_counter() - began
        self.result.cpu_seconds = time.process_time() - cpu
        return self.result

    def _open(self) -> None:
        session = Session(self.address, self.reuse)
        self.sessions[session.socket.fileno()] = session
        self.epoll.register(session.socket, select.EPOLLIN)

    def _close(self, session: Session) -> None:
        del self.sessions[session.socket.fileno()]
        self.epoll.unregister(session.socket)
        session.socket.close()
        if self.started < self.messages:
            self._open()

    def _read(self, session: Session) -> None:
        try:
            data = session.socket.recv(READ_BYTES)
        except OSError as error:
            data = b""
            self.result.refused[f"connection: {error}"] += 1
        if not data:
            if session.waiting and session.waiting[-1] != b"221":
                self.result.refused["connection closed early"] += 1
            self._close(session)
            return
        session.received += data
        if not session.received.endswith(b"\n"):
            return
        lines, session.received = session.received.splitlines(), b""
        for line in lines:
            if line[3:4] == b"-":
                continue
            self._reply(session, line)
            if session.socket.fileno() < 0:
                return

    def _reply(self, session: Session, line: bytes) -> None:
        expected = session.waiting.popleft()
        if expected == b"220":
            self._send(session, b"EHLO load.test\r\n")
            session.waiting[0] = b"250"
            return
        if line[:3] != expected:
            self.result.refused[line.decode("latin-1")] += 1
            self._close(session)
            return
        if expected == b"354":
            session.wrote_body = True
            self._send(session, session.body)
        elif expected == b"221":
            self._close(session)
        elif not session.waiting:
            if session.wrote_body:
                self.result.latencies.append(time.perf_counter() - session.sent_at)
                self.result.sent += 1
            self._next(session)

    def _next(self, session: Session) -> None:
        session.wrote_body = False
        if not session.left or self.started == self.messages:
            session.waiting.append(b"221")
            self._send(session, b"QUIT\r\n")
            return
        session.left -= 1
        self.started += 1
        number = next(self._numbers)
        own = b"Message-ID: <%016x@bench.test>\r\nDate: Mon, 23 Nov 2026 10:%02d:%02d +0100\r\n"
        session.body = own % (number, number // 60 % 60, number % 60) + next(self._bodies)
        self.result.bytes += len(session.body)
        session.waiting.extend((b"250", b"250", b"354", b"250"))
        self._send(session, b"MAIL FROM:<sender@bench.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % next(self._recipients))

    def _send(self, session: Session, data: bytes) -> None:
        session.out = memoryview(data)
        self._flush(session)

    def _flush(self, session: Session) -> None:
        try:
            while session.out:
                session.out = session.out[session.socket.send(session.out) :]
        except BlockingIOError:
            session.blocked = True
            self.epoll.modify(session.socket, select.EPOLLIN | select.EPOLLOUT)
            return
        except OSError:
            return  # The reading side says what is wrong.
        if session.blocked:
            session.blocked = False
            self.epoll.modify(session.socket, select.EPOLLIN)
        session.sent_at = time.perf_counter()


def summary(result: Result) -> dict[str, object]:
    """A result as JSON has it; times in milliseconds."""
    latencies = sorted(result.latencies) or [0.0]

    def percentile(share: float) -> float:
        return round(latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000, 2)

    return {
        "sent": result.sent,
        "refused": dict(result.refused),
        "bytes": result.bytes,
        "seconds": round(result.seconds, 3),
        "per_second": round(result.sent / result.seconds, 1),
        "p50_ms": percentile(0.5),
        "p95_ms": percentile(0.95),
        "p99_ms": percentile(0.99),
        "max_ms": round(latencies[-1] * 1000, 2),
        "own_cpu_ms": round(result.cpu_seconds * 1000 / max(1, result.sent), 4),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--reuse", type=int, default=10, help="messages per connection")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first-number", type=int, default=0, help="of the Message-IDs, to keep runs apart")
    parser.add_argument("--recipient", action="append", required=True)
    options = parser.parse_args()
    load = Load(
        (options.host, options.port),
        options.recipient,
        pool(options.seed),
        messages=options.messages,
        connections=options.connections,
        reuse=options.reuse,
        first_number=options.first_number,
    )
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(summary(load.run())))


if __name__ == "__main__":
    main()
