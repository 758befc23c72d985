"""SMTP as a server hears and speaks it: bytes to events, replies to bytes. No time, sockets, policy.

Use: `greet`, then feed `receive_data`, take `next_event` until None, answer with `reply` (or `challenge`),
send `data_to_send`. An event that is to be answered holds back all further ones, so pipelined commands
wait in the buffer in their order.

Line ends are CRLF only. A command line that ends otherwise gets 500 and the connection ends, because what
follows cannot be trusted. In content, CR or LF alone refuses the message with 550 once its true end has
come; if the bytes hold something that a laxer server might take for the end of the data (SMTP smuggling),
the connection ends at once.
"""

from collections import deque
from dataclasses import dataclass

from everpost.smtp.extensions import TABLE
from everpost.smtp.extensions.extension import Facts
from everpost.smtp.wire import commands
from everpost.smtp.wire.commands import Chunk, Outcome, Standing, State
from everpost.smtp.wire.content import ContentReceiver
from everpost.smtp.wire.events import (
    AuthResponse,
    AuthStart,
    Closed,
    Content,
    ContentEnd,
    ContentRefused,
    DataStart,
    Event,
    Hello,
    Mail,
    Quit,
    Recipient,
    Reset,
    StartTls,
    Violation,
    ViolationKind,
)
from everpost.smtp.wire.reply import Reply

RFCS = (5321, 3207, 4954, 3030)

# Input that is not a line yet or waits for an answer. Pipelining clients send a few KiB ahead.
MAX_BUFFER = 1024 * 1024
MAX_LINE = 4096
# RFC 4954 section 4
MAX_AUTH_LINE = 12_288

ANSWERED = (Hello, StartTls, AuthStart, AuthResponse, Mail, Recipient, DataStart, ContentEnd)
"""Events that are to be answered."""

_REFUSALS = {
    ViolationKind.TOO_LARGE: Reply(552, "5.3.4", "the message is too large"),
    ViolationKind.BARE_IN_CONTENT: Reply(550, "5.6.0", "the message has lines that end with CR or LF alone"),
}


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What does not change during a session."""

    hostname: str
    max_size: int = 50 * 1024 * 1024
    """Octets of a message."""
    max_recipients: int = 100
    max_messages: int = 1_000
    """Messages in one session."""
    max_errors: int = 20
    """Refused commands in one session, unknown recipients among them."""
    max_idle_commands: int = 100
    """Commands since the last message that brought none nearer."""
    tls_available: bool = False
    require_tls: bool = False
    """Nothing but greeting, STARTTLS and QUIT before TLS (530, RFC 3207 section 4)."""


class ServerMachine:
    """One session."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.mechanisms: tuple[str, ...] = ()
        """SASL mechanisms that can be used now; the session keeps it up to date."""
        self.tls = False
        self.authenticated = False
        self.state = State.START
        self._buffer = b""
        self._output: list[bytes] = []
        self._events: deque[Event] = deque()
        self._asked: Event | None = None
        self._content: ContentReceiver | None = None
        """What takes the bytes now, instead of command lines."""
        self._chunks: ContentReceiver | None = None
        """The message that came in chunks so far."""
        self._chunk: Chunk | None = None
        """The first chunk, while DataStart is being answered."""
        self._in_auth = False
        self._greeted = False
        self._early = False
        self._closed = False
        self._skipping = False
        self._smtputf8 = False
        self._recipients = 0
        self._messages = 0
        self._errors = 0
        self._idle = 0

    # For the driver.

    def receive_data(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._closed:
            return
        self._early = self._early or not self._greeted
        self._buffer = self._buffer + data if self._buffer else data
        if len(self._buffer) > MAX_BUFFER and self._content is None:
            self._end(ViolationKind.LINE_TOO_LONG, Reply(500, "5.5.6", "too much input ahead of the replies"))

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
                if isinstance(event, ANSWERED):
                    self._asked = event
                return event
            if self._closed or not self._greeted or not self._advance():
                return None
        return None

    def data_to_send(self) -> bytes:
        """Bytes for the client, given out once."""
        if not self._output:
            return b""
        output = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        return output

    # For the session.

    def greet(self, reply: Reply) -> None:
        """220, or 421 or 554 to serve nobody."""
        self._say(Reply(reply.code, None, reply.text) if reply.is_positive else reply)
        self._greeted = True
        if self._early:
            self._events.append(Violation(ViolationKind.EARLY_TALK))
        if not reply.is_positive:
            self._stop()
            self._events.append(Closed())

    def reply(self, reply: Reply) -> None:
        """Answer the event given out last."""
        event, self._asked = self._asked, None
        match event:
            case Hello(extended=extended):
                self._answer_hello(reply, extended=extended)
            case Mail(smtputf8=smtputf8):
                if reply.is_positive:
                    self.state, self._smtputf8 = State.MAIL, smtputf8
                self._say(reply)
            case Recipient():
                if reply.is_positive:
                    self.state = State.RCPT
                    self._recipients += 1
                self._say(reply)
            case DataStart():
                self._answer_data(reply)
            case ContentEnd():
                self._reset()
                self._messages += 1
                self._idle = 0
                self._say(reply)
            case AuthStart() | AuthResponse():
                self.authenticated = reply.is_positive
                self._say(reply)
            case StartTls():
                self._say(reply)
            case _:
                raise AssertionError("there is nothing to answer")
        if reply.code == 421:
            self._stop()
            self._events.append(Closed())
        elif reply.is_permanent:
            self._count_error()

    def challenge(self, data: bytes) -> None:
        """Answer AuthStart or AuthResponse with a SASL challenge."""
        assert isinstance(self._asked, AuthStart | AuthResponse)
        self._asked = None
        self._in_auth = True
        self._output.append(commands.challenge(data))

    def tls_started(self) -> None:
        """TLS stands: everything said before is forgotten (RFC 3207 section 4.2)."""
        self.tls = True
        self._buffer = b""
        self.state = State.START
        self._reset()

    def close(self, reply: Reply) -> None:
        """Say a last reply (421) and listen no more; the driver sends what is left."""
        if not self._closed:
            self._stop()
            self._say(reply)

    @property
    def is_receiving(self) -> bool:
        """In the midst of a message: its content is coming, or waits to be answered."""
        return self._content is not None or self._chunks is not None or isinstance(self._asked, ContentEnd)

    # Inside.

    def _say(self, reply: Reply) -> None:
        self._output.append(reply.to_bytes())

    def _answer_hello(self, reply: Reply, *, extended: bool) -> None:
        if reply.is_positive:
            self.state = State.READY
            self._reset()
        if reply.is_positive and extended:
            facts = Facts(
                max_size=self.config.max_size,
                max_recipients=self.config.max_recipients,
                max_messages=self.config.max_messages,
                tls_offered=self.config.tls_available and not self.tls,
                mechanisms=() if self.authenticated else self.mechanisms,
            )
            announced = (extension.announce(facts) for extension in TABLE)
            reply = Reply(reply.code, None, (*reply.lines, *(line for line in announced if line)))
        elif reply.is_positive:
            reply = Reply(reply.code, None, reply.text)
        self._say(reply)

    def _answer_data(self, reply: Reply) -> None:
        chunk, self._chunk = self._chunk, None
        if reply.code != 354:
            if chunk is not None:
                self._content = ContentReceiver.swallowing(chunk.octets)
                self._reset()
            self._say(reply)
        elif chunk is None:
            self._content = ContentReceiver.data(self.config.max_size)
            self._say(Reply(354, None, reply.text))
        else:
            self._chunks = self._content = ContentReceiver.chunks(self.config.max_size)
            self._content.next_chunk(chunk.octets, last=chunk.last)

    def _advance(self) -> bool:
        """Take the next step from the buffer; False if more bytes are needed."""
        if self._content is not None:
            return self._advance_content(self._content)
        limit = MAX_AUTH_LINE if self._in_auth else MAX_LINE
        end = self._buffer.find(b"\n")
        if end < 0 or end >= limit or self._skipping:
            return self._advance_long(end, limit)
        line, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
        if line[-2:] != b"\r\n" or b"\r" in line[:-2]:
            if self.state is State.START and commands.is_foreign(line):
                self._end(ViolationKind.FOREIGN_PROTOCOL, Reply(554, "5.5.0", "this is an SMTP server"))
            else:
                self._end(ViolationKind.BARE_LINE_END, Reply(500, "5.5.2", "lines end with CR and LF together"))
        elif self._in_auth:
            self._in_auth = False
            self._apply(commands.auth_response(line[:-2]))
        else:
            self._apply(commands.interpret(line[:-2], self._standing()))
        return True

    def _advance_long(self, end: int, limit: int) -> bool:
        """A line that has no end yet or is too long: complained of once, then skipped to its end."""
        if not self._skipping:
            if end < 0 and len(self._buffer) < limit:
                return False
            if self.state is State.START and commands.is_foreign(self._buffer):
                self._end(ViolationKind.FOREIGN_PROTOCOL, Reply(554, "5.5.0", "this is an SMTP server"))
                return True
            self._skipping = True
            self._in_auth = False
            self._apply(Outcome(Reply(500, "5.5.6", "the line is too long"), kind=ViolationKind.LINE_TOO_LONG))
            return True
        self._skipping = end < 0
        self._buffer = self._buffer[end + 1 :] if end >= 0 else b""
        return end >= 0

    def _standing(self) -> Standing:
        return Standing(
            self.state,
            self.tls,
            self.config.tls_available,
            self.config.require_tls,
            self.authenticated,
            self.mechanisms,
            self._smtputf8,
            self._recipients < self.config.max_recipients,
            self._messages < self.config.max_messages,
            self.config.max_size,
        )

    def _apply(self, outcome: Outcome) -> None:
        """Do what a line came to."""
        reply = outcome.reply
        if reply is not None and (reply.code == 421 or outcome.kind is ViolationKind.FOREIGN_PROTOCOL):
            self._end(outcome.kind or ViolationKind.BAD_SYNTAX, reply)
            return
        if outcome.idle:
            self._idle += 1
            if self._idle > self.config.max_idle_commands:
                self._end(ViolationKind.NO_PROGRESS, Reply(421, "4.7.0", "too many commands without a message"))
                return
        if outcome.chunk is not None:
            self._begin_chunk(outcome.chunk, wanted=reply is None)
        if outcome.event is not None:
            self._meet(outcome.event)
        if reply is not None:
            self._say(reply)
        if outcome.kind is not None:
            self._events.append(Violation(outcome.kind))
        if reply is not None and reply.is_permanent:
            self._count_error()

    def _begin_chunk(self, chunk: Chunk, *, wanted: bool) -> None:
        if not wanted:
            self._content = ContentReceiver.swallowing(chunk.octets)
        elif self._chunks is not None:
            self._content = self._chunks
            self._content.next_chunk(chunk.octets, last=chunk.last)
        else:
            self._chunk = chunk

    def _meet(self, event: Event) -> None:
        match event:
            case Reset():
                self._reset()
            case Quit():
                if self._buffer:
                    self._events.append(Violation(ViolationKind.AFTER_QUIT))
                self._stop()
            case StartTls():
                # Whatever came along in clear is not from the client we shake hands with.
                if self._buffer:
                    self._buffer = b""
                    self._events.append(Violation(ViolationKind.BEFORE_TLS))
            case _:
                pass
        self._events.append(event)

    def _advance_content(self, content: ContentReceiver) -> bool:
        # An empty chunk ends without any bytes.
        piece, rest = content.feed(self._buffer)
        self._buffer = rest or b""
        if content.is_smuggling:
            self._end(ViolationKind.SMUGGLING, Reply(554, "5.6.0", "lines must end with CR and LF together"))
            return True
        if content.is_endless and not content.is_swallowing:
            self._end(ViolationKind.TOO_LARGE, Reply(552, "5.3.4", "the message is too large"))
            return True
        if piece:
            self._events.append(Content(piece))
        if rest is None:
            return bool(piece)
        self._content = None
        if content.is_swallowing:
            return True
        if not content.last:
            self.state = State.CHUNKS
            self._say(Reply(250, "2.0.0", f"{content.size} octets so far"))
            return True
        self._chunks = None
        fault = content.fault
        if fault is None:
            self._events.append(ContentEnd(content.size))
            return True
        self._reset()
        self._say(_REFUSALS[fault])
        self._events.append(ContentRefused(fault))
        self._count_error()
        return True

    def _reset(self) -> None:
        """The transaction is over."""
        if self.state is not State.START:
            self.state = State.READY
        self._recipients = 0
        self._smtputf8 = False
        self._chunks = None

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors > self.config.max_errors and not self._closed:
            self._end(ViolationKind.TOO_MANY_ERRORS, Reply(421, "4.7.0", "too many errors"))

    def _end(self, kind: ViolationKind, reply: Reply) -> None:
        """Say a last reply because of a violation, and listen no more."""
        self._say(reply)
        self._stop()
        self._events += (Violation(kind), Closed())

    def _stop(self) -> None:
        self._closed = True
        self._buffer = b""
        self._asked = None
        self._content = None
        self._chunks = None
