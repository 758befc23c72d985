"""POP3 as a server hears and speaks it: bytes to events, replies to bytes. No time, sockets, policy.

Use: `greet`, then feed `receive_data`, take `next_event` until None, answer with `ok`, `error`, `lines`,
`challenge`, or `start_message`, `piece`..., `end_message`; send `data_to_send`. An event that is to be
answered holds back all further ones, so pipelined commands wait in the buffer in their order.
"""

import base64
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from everpost.access.pop3.wire import commands
from everpost.access.pop3.wire.commands import Outcome, Standing, State
from everpost.access.pop3.wire.events import Asked, AuthCancel, AuthResponse, AuthStart, Closed, Event, Quit, StartTls
from everpost.access.pop3.wire.stuffing import Stuffing

RFCS = (1939, 2449, 2595, 3206, 5034, 6856)

# RFC 2449 section 4 promises clients 255 octets; a long password in UTF-8 needs more.
MAX_LINE = 2048
# RFC 5034 section 4
MAX_AUTH_LINE = 12_288
# Commands ahead of their answers.
MAX_BUFFER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pop3Config:
    """What does not change during a session."""

    hostname: str
    tls_available: bool = False
    max_errors: int = 20
    """Refused commands in one session."""
    max_before_login: int = 60
    """Commands of somebody who has not logged in."""


class Pop3Machine:
    """One session."""

    def __init__(self, config: Pop3Config) -> None:
        self.config = config
        self.mechanisms: tuple[str, ...] = ()
        """SASL mechanisms that can be used now; the session keeps it up to date. None: no login at all."""
        self.tls = False
        self.state = State.AUTHORIZATION
        self.commands = 0
        """Lines taken so far; it grows while the client is alive."""
        self._buffer = b""
        self._taken = 0
        self._output: list[bytes] = []
        self._pending = 0
        self._events: deque[Event] = deque()
        self._asked: Asked | None = None
        self._stuffing: Stuffing | None = None
        self._user: str | None = None
        self._utf8 = False
        self._in_auth = False
        self._skipping = False
        self._closed = False
        self._errors = 0

    # For the driver.

    def receive_data(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._closed:
            return
        # Lines are taken by moving a mark, so that many short ones cost no copies of the rest.
        self._buffer = self._buffer[self._taken :] + data
        self._taken = 0
        if len(self._buffer) > MAX_BUFFER:
            self._end("too much input ahead of the replies")

    def receive_eof(self) -> None:
        """The client will send nothing more."""
        if not self._closed:
            self._stop()
            self._events.append(Closed())

    def next_event(self) -> Event | None:
        """What happened; None until more bytes come or the last event is answered."""
        while self._asked is None:
            if self._events:
                event = self._events.popleft()
                if isinstance(event, Asked):
                    self._asked = event
                return event
            if self._closed or not self._advance():
                return None
        return None

    def data_to_send(self) -> bytes:
        """Bytes for the client, given out once."""
        if not self._output:
            return b""
        output = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        self._pending = 0
        return output

    @property
    def pending(self) -> int:
        """Octets that wait in `data_to_send`."""
        return self._pending

    @property
    def is_asked(self) -> bool:
        """An event waits for its answer."""
        return self._asked is not None

    @property
    def is_in_message(self) -> bool:
        """Part of a message was sent: nothing but the rest of it can follow."""
        return self._stuffing is not None

    # For the session.

    def greet(self) -> None:
        """The banner; without a timestamp, so no APOP."""
        self._say(commands.ok(f"{self.config.hostname} POP3 Everpost"))

    def ok(self, text: str = "") -> None:
        """Answer the event given out last."""
        event = self._answered()
        self._say(commands.ok(text))
        if isinstance(event, Quit):
            self._stop()

    def log_in(self, text: str) -> None:
        """Answer a login: the maildrop is open."""
        self._answered()
        self.state = State.TRANSACTION
        self._user = None
        self._say(commands.ok(text))

    def error(self, text: str, code: str | None = None) -> None:
        """Answer the event given out last with a refusal; `code` is a response code such as `IN-USE`."""
        event = self._answered()
        self._user = None
        self._say(commands.err(text, code))
        if isinstance(event, Quit):
            self._stop()
        else:
            self._count_error()

    def lines(self, text: str, lines: Iterable[str]) -> None:
        """Answer with several lines, none of which begins with a dot."""
        self._answered()
        self._say(commands.listing(text, list(lines)))

    def challenge(self, data: bytes) -> None:
        """Answer AuthStart or AuthResponse with a SASL challenge."""
        assert isinstance(self._asked, AuthStart | AuthResponse)
        self._asked = None
        self._in_auth = True
        self._say(b"+ " + base64.b64encode(data) + b"\r\n")

    def start_message(self, text: str) -> None:
        """Begin to answer with a message; the event stays open until `end_message`."""
        assert self._asked is not None and self._stuffing is None
        self._say(commands.ok(text))
        self._stuffing = Stuffing()

    def piece(self, data: bytes) -> None:
        """The next part of the message."""
        assert self._stuffing is not None
        self._say(self._stuffing.feed(data))

    def end_message(self) -> None:
        """All of the message was given."""
        assert self._stuffing is not None
        self._say(self._stuffing.end())
        self._stuffing = None
        self._answered()

    def tls_started(self) -> None:
        """TLS stands: everything said before is forgotten (RFC 2595 section 4)."""
        self.tls = True
        self._buffer = b""
        self._taken = 0
        self._user = None

    def close(self, text: str, code: str | None = None) -> None:
        """Say a last refusal and listen no more; the driver sends what is left."""
        if not self._closed:
            self._stop()
            if self._stuffing is None:
                self._say(commands.err(text, code))

    # Inside.

    def _say(self, data: bytes) -> None:
        self._output.append(data)
        self._pending += len(data)

    def _answered(self) -> Asked:
        event, self._asked = self._asked, None
        assert event is not None, "there is nothing to answer"
        if isinstance(event, StartTls):
            # Whatever came along in clear is not from the client we shake hands with.
            self._buffer = b""
            self._taken = 0
        return event

    def _advance(self) -> bool:
        """Take the next line from the buffer; False if more bytes are needed."""
        limit = MAX_AUTH_LINE if self._in_auth else MAX_LINE
        end = self._buffer.find(b"\n", self._taken)
        if end < 0 and len(self._buffer) - self._taken <= limit and not self._skipping:
            return False
        if self._skipping or end < 0 or end - self._taken > limit:
            return self._skip(end)
        line = self._buffer[self._taken : end].removesuffix(b"\r")
        self._taken = end + 1
        self.commands += 1
        if self.state is State.AUTHORIZATION and self.commands > self.config.max_before_login:
            self._end("too many commands without login")
        elif self._in_auth:
            self._in_auth = False
            self._apply(commands.auth_response(line))
        else:
            self._apply(commands.interpret(line, self._standing()))
        return True

    def _skip(self, end: int) -> bool:
        """A line that is too long: complained of once, then skipped to its end."""
        if not self._skipping:
            if self._in_auth:
                self._in_auth = False
                self._events.append(AuthCancel())
            self._say(commands.err("the line is too long"))
            self._count_error()
        self._skipping = end < 0
        self._taken = end + 1 if end >= 0 else len(self._buffer)
        return end >= 0

    def _standing(self) -> Standing:
        return Standing(self.state, self.tls, self.config.tls_available, self.mechanisms, self._user, self._utf8)

    def _apply(self, outcome: Outcome) -> None:
        if outcome.reply:
            self._say(outcome.reply)
        self._user = outcome.user
        self._utf8 = self._utf8 or outcome.utf8
        if outcome.event is not None:
            self._events.append(outcome.event)
        if outcome.refused:
            self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors > self.config.max_errors:
            self._end("too many errors")

    def _end(self, text: str) -> None:
        if not self._closed:
            self._stop()
            self._say(commands.err(text))
            self._events.append(Closed())

    def _stop(self) -> None:
        self._closed = True
        self._buffer = b""
        self._taken = 0
        self._asked = None
