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

from everpost.smtp.extensions.extension import Facts
from everpost.smtp.wire import commands, replies
from everpost.smtp.wire.commands import Chunk, Outcome, State
from everpost.smtp.wire.config import ServerConfig
from everpost.smtp.wire.content import ContentReceiver
from everpost.smtp.wire.events import (
    AuthCancel,
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
from everpost.smtp.wire.lines import MAX_AUTH_LINE, MAX_LINE, Input
from everpost.smtp.wire.reply import Reply
from everpost.smtp.wire.tally import Tally

__all__ = ["ServerConfig", "ServerMachine"]

RFCS = (5321, 3207, 4954, 3030)

# Input that is not a line yet or waits for an answer. Pipelining clients send a few KiB ahead.
MAX_BUFFER = 1024 * 1024

ANSWERED = frozenset({Hello, StartTls, AuthStart, AuthResponse, Mail, Recipient, DataStart, ContentEnd})
"""Events that are to be answered."""


class ServerMachine:
    """One session. Its plain attributes are what `commands` reads (see `commands.Standing`)."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.mechanisms: tuple[str, ...] = ()
        """SASL mechanisms that can be used now; the session keeps it up to date."""
        self.tls = False
        self.authenticated = False
        self.state = State.START
        self.smtputf8 = False
        self.recipients = 0
        self.messages = 0
        self._input = Input()
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
        self._handshaking = False
        """220 was said to STARTTLS: bytes mean nothing until `tls_started`."""
        self._eof = False
        self._closed = False
        self._skipping = False
        self._tally = Tally(config)

    # For the driver.

    def receive_data(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._closed or self._handshaking:
            return
        if not self._greeted:
            self._early = True
        self._input.append(data)
        if self._content is None and len(self._input) > MAX_BUFFER:
            self._end(ViolationKind.LINE_TOO_LONG, replies.TOO_MUCH)

    def receive_eof(self) -> None:
        """The client will send nothing more; Closed comes after what it said before."""
        self._eof = True

    def next_event(self) -> Event | None:
        """What happened; None until more bytes come or the last event is answered."""
        while self._asked is None:
            if self._events:
                event = self._events.popleft()
                if type(event) in ANSWERED:
                    self._asked = event
                return event
            if self._closed:
                return None
            if self._greeted and not self._handshaking and self._advance():
                continue
            if not self._eof:
                return None
            self._stop()
            self._events.append(Closed())
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
        """Answer the event given out last; nothing is said any more once the machine is closed."""
        event, self._asked = self._asked, None
        if self._closed:
            return
        match event:
            case Recipient():
                if reply.is_positive:
                    self.state = State.RCPT
                    self.recipients += 1
                self._say(reply)
            case Mail(smtputf8=smtputf8):
                if reply.is_positive:
                    self.state, self.smtputf8 = State.MAIL, smtputf8
                self._say(reply)
            case DataStart():
                self._answer_data(reply)
            case ContentEnd():
                self._say(reply)
                self._reset()
                self.messages += 1
                self._tally.message_ended()
            case Hello(extended=extended):
                self._answer_hello(reply, extended=extended)
            case AuthStart() | AuthResponse():
                self.authenticated = reply.is_positive
                self._say(reply)
            case StartTls():
                self._handshaking = reply.code == 220
                self._say(reply)
            case _:
                raise AssertionError("there is nothing to answer")
        if reply.code >= 400:
            self._count_refusal(event, reply)

    def challenge(self, data: bytes) -> None:
        """Answer AuthStart or AuthResponse with a SASL challenge."""
        if self._closed:
            return
        assert isinstance(self._asked, AuthStart | AuthResponse)
        self._asked = None
        self._in_auth = True
        self._output.append(commands.challenge(data))

    def tls_started(self) -> None:
        """TLS stands: everything said before is forgotten (RFC 3207 section 4.2)."""
        self.tls = True
        self._handshaking = False
        self._input.clear()
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
        return self._content is not None or self._chunks is not None or type(self._asked) is ContentEnd

    # Inside.

    def _say(self, reply: Reply) -> None:
        self._output.append(reply.to_bytes(utf8=self.smtputf8))

    def _answer_hello(self, reply: Reply, *, extended: bool) -> None:
        # Unlike RFC 5321 section 4.1.4: a transaction does not outlive a refused greeting either, since the
        # session was told of the greeting and has dropped it.
        self._reset()
        if reply.is_positive:
            self.state = State.READY
            config = self.config
            if extended:
                facts = Facts(
                    max_size=config.max_size,
                    max_recipients=config.max_recipients,
                    max_messages=config.max_messages,
                    tls_offered=config.tls_available and not self.tls and not self.authenticated,
                    mechanisms=() if self.authenticated else self.mechanisms,
                )
                reply = replies.hello(reply, facts)
            else:
                reply = Reply(reply.code, None, reply.text)
        self._say(reply)

    def _answer_data(self, reply: Reply) -> None:
        chunk, self._chunk = self._chunk, None
        if reply.code != 354:
            self._say(reply)
            if chunk is not None:
                self._content = ContentReceiver.swallowing(chunk.octets)
                self._reset()
        elif chunk is None:
            self._content = ContentReceiver.data(self.config.max_size)
            self._say(Reply(354, None, reply.text))
        else:
            self._chunks = self._content = ContentReceiver.chunks(self.config.max_size)
            self._content.next_chunk(chunk.octets, last=chunk.last)

    def _advance(self) -> bool:
        """Take the next step from the buffer; False if more bytes are needed."""
        content = self._content
        if content is not None:
            return self._advance_content(content)
        if not self._input:
            return False
        if self._skipping:
            return self._skip()
        line = self._input.line(MAX_LINE) or self._auth_line()
        if line is None:
            return self._advance_unended()
        if line[-2:] != b"\r\n" or b"\r" in line[:-2]:
            if self.state is State.START and commands.is_foreign(line):
                self._end(ViolationKind.FOREIGN_PROTOCOL, replies.FOREIGN)
            else:
                self._end(ViolationKind.BARE_LINE_END, replies.BARE)
        elif self._in_auth:
            self._in_auth = False
            self._apply(commands.auth_response(line[:-2]))
        else:
            self._apply(commands.interpret(line[:-2], self))
        return True

    def _auth_line(self) -> bytes | None:
        return self._input.line(MAX_AUTH_LINE) if self._may_be_longer() else None

    def _may_be_longer(self) -> bool:
        return self._in_auth or self._input.startswith(b"AUTH ")

    def _advance_unended(self) -> bool:
        """A line that has no end yet, or is too long: that is complained of once, and the line skipped."""
        limit = MAX_AUTH_LINE if self._may_be_longer() else MAX_LINE
        foreign = self.state is State.START and commands.is_foreign(self._input.peek()[:16])
        if len(self._input) < limit and not (foreign and self._input.startswith(commands.TLS_RECORD)):
            return False
        if foreign:
            self._end(ViolationKind.FOREIGN_PROTOCOL, replies.FOREIGN)
            return True
        self._skipping = True
        if self._in_auth:
            self._in_auth = False
            self._events.append(AuthCancel())
        self._apply(Outcome(replies.TOO_LONG, kind=ViolationKind.LINE_TOO_LONG))
        return True

    def _skip(self) -> bool:
        end = self._input.skip_line()
        if end is None:
            return False
        self._skipping = False
        if end != b"\r\n":
            self._end(ViolationKind.BARE_LINE_END, replies.BARE)
        return True

    def _apply(self, outcome: Outcome) -> None:
        """Do what a line came to."""
        reply = outcome.reply
        if reply is not None and (reply.code == 421 or outcome.kind is ViolationKind.FOREIGN_PROTOCOL):
            self._end(outcome.kind or ViolationKind.BAD_SYNTAX, reply)
            return
        if outcome.idle and self._enough(self._tally.idle()):
            return
        if outcome.chunk is not None:
            self._begin_chunk(outcome.chunk, wanted=reply is None)
        if outcome.event is not None:
            self._meet(outcome.event)
        if reply is None:
            return
        self._say(reply)
        if outcome.kind is not None:
            self._events.append(Violation(outcome.kind))
        if reply.is_permanent:
            self._enough(self._tally.error())
        elif reply.is_temporary:
            # Only the limits of recipients and messages come here.
            self._enough(self._tally.refused_recipient())

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
                if self._input:
                    self._events.append(Violation(ViolationKind.AFTER_QUIT))
                self._stop()
            case StartTls():
                # Whatever came along in clear is not from the client we shake hands with.
                if self._input:
                    self._input.clear()
                    self._events.append(Violation(ViolationKind.BEFORE_TLS))
            case _:
                pass
        self._events.append(event)

    def _advance_content(self, content: ContentReceiver) -> bool:
        # An empty chunk ends without any bytes.
        piece, rest = content.feed(self._input.take())
        if rest:
            self._input.append(rest)
        if content.is_smuggling:
            self._end(ViolationKind.SMUGGLING, replies.SMUGGLED)
            return True
        if content.is_endless and not content.is_swallowing:
            self._end(ViolationKind.TOO_LARGE, replies.REFUSALS[ViolationKind.TOO_LARGE])
            return True
        if piece:
            self._events.append(Content(piece))
        if rest is None:
            return bool(piece)
        self._content = None
        if content.is_swallowing:
            return True
        if not content.last and not content.is_too_large:
            self.state = State.CHUNKS
            self._say(Reply(250, "2.0.0", f"{content.size} octets so far"))
            return True
        self._chunks = None
        fault = content.fault
        if fault is None:
            self._events.append(ContentEnd(content.size))
            return True
        self._say(replies.REFUSALS[fault])
        self._reset()
        self._events.append(ContentRefused(fault))
        self._enough(self._tally.error())
        return True

    def _reset(self) -> None:
        """The transaction is over."""
        if self.state is not State.START:
            self.state = State.READY
        self.recipients = 0
        self.smtputf8 = False
        self._tally.transaction_ended()
        self._chunks = None

    def _count_refusal(self, event: Event | None, reply: Reply) -> None:
        """The session said no."""
        if reply.code == 421:
            self._stop()
            self._events.append(Closed())
        elif reply.is_permanent:
            self._enough(self._tally.error())
        elif type(event) is Recipient:
            self._enough(self._tally.refused_recipient())
        elif type(event) is not ContentEnd:
            self._enough(self._tally.idle())

    def _enough(self, kind: ViolationKind | None) -> bool:
        """End the session if a rule is broken now."""
        if kind is None or self._closed:
            return False
        self._end(kind, replies.ENOUGH[kind])
        return True

    def _end(self, kind: ViolationKind, reply: Reply) -> None:
        """Say a last reply because of a violation, and listen no more."""
        self._say(reply)
        self._stop()
        self._events += (Violation(kind), Closed())

    def _stop(self) -> None:
        self._closed = True
        self._input.clear()
        self._asked = None
        self._content = None
        self._chunks = None
