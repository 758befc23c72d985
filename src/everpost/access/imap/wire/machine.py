"""Splits what a client sends into commands with their literals, and asks for literals that wait.

Use: feed `receive_data`, take `next_event` until None, answer with `send`, send `data_to_send`. Bytes are
looked at only when an event is asked for, so whoever answers one event before asking for the next keeps
answers in the order of the commands, however many are pipelined.
"""

import re
from dataclasses import dataclass

from everpost.access.imap.wire.events import Closed, Command, Event, Fault, Hopeless, Line, Malformed

RFCS = (3501, 9051, 7888)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a client may send, in bytes. A session gives others once it knows who the client is."""

    command: int = 8 * 1024
    """One command in all, the contents of its literals aside (RFC 7162 section 4 asks for 8,192)."""
    line: int = 12_288
    """A line that was asked for."""
    literals: int = 8 * 1024
    """The literals of one command in all."""
    message: int = 0
    """The same for APPEND and REPLACE; 0 for as above."""
    waste: int = 1024 * 1024
    """What is passed over of one command before the connection ends."""


# RFC 9051 section 9: a tag is of the characters of an astring, but "+".
_HEAD = re.compile(rb"([^\x00-\x20(){%*\"\\+\x7f-\xff]{1,128}) ((?:UID )?[A-Z0-9.=-]{1,64})(?: |\Z)", re.IGNORECASE)
_TAG = re.compile(rb"[^\x00-\x20(){%*\"\\+\x7f-\xff]{1,128}(?= )")
_LITERAL = re.compile(rb"\{(\d{1,20})(\+?)\}\Z")
# The longest literal's announcement.
_TAIL = 24
# A tag and a name are not longer.
_HEAD_SIZE = 256

# What brings messages.
BULKY = ("APPEND", "REPLACE", "UID REPLACE")


class ImapMachine:
    """One connection."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._input = bytearray()
        self._scanned = 0
        self._output: list[bytes] = []
        self._output_size = 0
        self._expecting = False
        self._ended = False
        self._closed = False
        self._forget()

    # For the driver.

    def receive_data(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._ended or self._closed:
            return
        if self._missing and not self._input:
            if len(data) <= self._missing:
                self._take(data)
                return
            taken = self._missing
            self._take(data[:taken])
            data = data[taken:]
        self._input += data

    def receive_eof(self) -> None:
        """The client will send nothing more."""
        self._ended = True

    def next_event(self) -> Event | None:
        """What happened; None until more bytes come."""
        if self._closed:
            return None
        event = self._advance()
        if event is None and self._ended:
            self._closed = True
            return Closed()
        if isinstance(event, Hopeless):
            self._closed = True
        return event

    def data_to_send(self) -> bytes:
        """Bytes for the client, given out once."""
        if not self._output:
            return b""
        output = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        self._output_size = 0
        return output

    # For the session.

    def send(self, data: bytes) -> None:
        """Say this."""
        self._output.append(data)
        self._output_size += len(data)

    @property
    def pending(self) -> int:
        """How many bytes wait to be sent."""
        return self._output_size

    def expect_line(self) -> None:
        """The next line continues a command (AUTHENTICATE, IDLE): it comes as a Line."""
        self._expecting = True

    def discard_input(self) -> None:
        """Forget what was received: it came before TLS protected it (RFC 9051 section 6.2.1)."""
        self._input.clear()
        self._scanned = 0
        self._expecting = False
        self._forget()

    # Inside.

    def _forget(self) -> None:
        """Be ready for a new command."""
        self._pieces: list[bytes] = []
        self._length = 0
        self._literals: list[bytes] = []
        self._literals_size = 0
        self._literal = bytearray()
        self._missing = 0
        """Bytes of a literal that are still to come."""
        self._fault: Fault | None = None
        self._wasted = 0

    def _take(self, data: bytes) -> None:
        """Bytes of the literal that is coming."""
        self._missing -= len(data)
        if self._fault is not None:
            return
        if not self._missing and not self._literal:
            self._literals.append(data)
            return
        self._literal += data
        if not self._missing:
            self._literals.append(bytes(self._literal))
            self._literal = bytearray()

    def _advance(self) -> Event | None:
        while True:
            if self._missing:
                if not self._input:
                    return None
                taken = bytes(self._input[: self._missing])
                del self._input[: len(taken)]
                self._take(taken)
                continue
            end = self._input.find(b"\n", self._scanned)
            if end < 0:
                self._scanned = len(self._input)
                return self._check_partial()
            line = bytes(self._input[: end + 1])
            del self._input[: end + 1]
            self._scanned = 0
            event = self._line(line)
            if event is not None:
                return event

    def _check_partial(self) -> Event | None:
        """A line without an end: what is too long is dropped while it comes, but for what may announce a literal."""
        if self._fault is not None:
            limit = 0
        else:
            limit = self.limits.line if self._expecting else max(self.limits.command - self._length, 0)
        if len(self._input) > limit + _TAIL:
            if not self._pieces:
                self._pieces.append(bytes(self._input[:_HEAD_SIZE]))
            self._fault = self._fault or Fault.TOO_LONG
            dropped = len(self._input) - _TAIL
            del self._input[:dropped]
            self._scanned = len(self._input)
            if self._waste(dropped):
                return Hopeless()
        return None

    def _waste(self, size: int) -> bool:
        """So many bytes are passed over; whether that is too much."""
        self._wasted += size
        return self._wasted > self.limits.waste

    def _line(self, line: bytes) -> Event | None:
        """A line is there; it may be the last of a command."""
        whole = line.endswith(b"\r\n")
        line = line[: -2 if whole else -1]
        if self._expecting:
            return self._expected(line, whole=whole)
        if self._fault is None:
            self._pieces.append(line)
            self._length += len(line)
            self._fault = self._find_fault(line, whole=whole)
        if self._fault is not None:
            # Tag and name are kept for the answer.
            self._pieces[:] = (self._pieces[0][:_HEAD_SIZE],)
            if self._waste(len(line)):
                return Hopeless()
        announced = _LITERAL.search(line, max(len(line) - _TAIL, 0)) if line.endswith(b"}") else None
        if announced is not None:
            return self._announce(int(announced.group(1)), waits=not announced.group(2))
        return self._complete()

    def _find_fault(self, line: bytes, *, whole: bool) -> Fault | None:
        if self._length > self.limits.command:
            return Fault.TOO_LONG
        if not whole:
            return Fault.BARE_LF
        if b"\0" in line:
            return Fault.NUL
        if len(self._pieces) == 1 and not _HEAD.match(line):
            return Fault.NO_COMMAND
        return None

    def _expected(self, line: bytes, *, whole: bool) -> Event:
        self._expecting = False
        fault = self._fault
        if fault is None and len(line) > self.limits.line:
            fault = Fault.TOO_LONG
        if fault is None and not whole:
            fault = Fault.BARE_LF
        if fault is not None and self._waste(len(line)):
            return Hopeless()
        self._forget()
        return Line(line) if fault is None else Malformed(None, None, fault)

    def _announce(self, size: int, *, waits: bool) -> Event | None:
        """A literal comes now, or (`waits`) once it is asked for."""
        if self._fault is None and self._literals_size + size > self._literals_limit():
            self._fault = Fault.TOO_BIG
        if self._fault is not None:
            if waits:
                # It is not asked for, and so the client takes the answer and sends no more of the command.
                return self._malformed()
            if self._waste(size):
                return Hopeless()
            self._missing = size
            return None
        self._literals_size += size
        if waits:
            self.send(b"+ OK\r\n")
        self._missing = size
        if not size:
            self._literals.append(b"")
        return None

    def _literals_limit(self) -> int:
        head = _HEAD.match(self._pieces[0])
        if self.limits.message and head and head.group(2).decode().upper() in BULKY:
            return self.limits.message
        return self.limits.literals

    def _complete(self) -> Event:
        if self._fault is not None:
            return self._malformed()
        text = self._pieces[0] if len(self._pieces) == 1 else b"\r\n".join(self._pieces)
        head = _HEAD.match(text)
        assert head is not None
        event = Command(
            head.group(1).decode(),
            head.group(2).decode().upper(),
            text[head.end() :],
            tuple(self._literals),
            head.end(),
        )
        self._forget()
        return event

    def _malformed(self) -> Malformed:
        assert self._fault is not None
        first = self._pieces[0]
        head = _HEAD.match(first)
        tag = _TAG.match(first)
        event = Malformed(
            tag.group().decode() if tag else None, head.group(2).decode().upper() if head else None, self._fault
        )
        self._forget()
        return event
