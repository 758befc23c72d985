"""The content of a message on the wire: its end, its transparency, its line ends (RFC 5321 section 4.5.2)."""

import re
from dataclasses import dataclass
from io import IncrementalNewlineDecoder

RFCS = (5321,)

_END = b"\r\n.\r\n"
# What some other server might take for the end of the data: a dot alone on a line by any reading of "line".
_LOOKALIKE = re.compile(rb"[\r\n]\.[\r\n]")


def are_clean(data: bytes) -> bool:
    """Whether CR and LF come only together in bytes that are cut within no pair."""
    # The decoder of universal newlines notes which line ends it met: one pass in C. Counting CR, LF and CRLF
    # takes four times as long, a regular expression fifty times.
    decoder = IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(data.decode("latin-1"), final=True)
    return decoder.newlines is None or decoder.newlines == "\r\n"


@dataclass(slots=True)
class LineEnds:
    """Whether every CR is followed by LF and every LF preceded by CR, over any cuts."""

    _clean: bool = True
    _open: bool = False
    """The last byte was CR: what it is depends on the next one."""

    def add(self, data: bytes) -> bool:
        """Take note of a piece; False if there was a bare CR or LF so far."""
        if self._open and data:
            data = b"\r" + data
        if data:
            self._open = data.endswith(b"\r")
            self.add_whole(data[:-1] if self._open else data)
        return self._clean

    def add_whole(self, data: bytes) -> bool:
        """The same for a piece that is known to cut no pair."""
        self._clean = self._clean and are_clean(data)
        return self._clean

    @property
    def are_clean(self) -> bool:
        """Whether all line ends so far were CRLF; ask at the end."""
        return self._clean and not self._open


class DataReader:
    """Finds the end of DATA and undoes dot-stuffing, over any cuts of the bytes.

    At most 4 bytes are held back: those that may be the beginning of the end.
    """

    __slots__ = ("_before", "_held", "_skip", "ends", "smuggling")

    def __init__(self) -> None:
        # Content begins at the start of a line: as if a CRLF had come before it, which is skipped when given out.
        self._held = b"\r\n"
        self._skip = 2
        self._before = b""
        self.ends = LineEnds()
        self.smuggling = False
        """Something that others might take for the end of the data was seen."""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take bytes; return (content, None), or at the end (content, the bytes that follow the end)."""
        buffer = self._held + data
        rest: bytes | None = None
        # Nearly every message is whole in its last read and has no other line that begins with a dot: one search.
        dot = buffer.find(b"\r\n.")
        end = dot if dot < 0 or buffer.startswith(_END, dot) else buffer.find(_END, dot)
        if end >= 0:
            raw, rest, self._held = buffer[: end + 2], buffer[end + 5 :], b""
        else:
            stop = len(buffer) - _beginning_of_end(buffer)
            raw, self._held = buffer[:stop], buffer[stop:]
        # A CR at the end of `raw` is a bare one: were LF behind it, it would have been held back.
        if not self.ends.add_whole(raw) and not self.smuggling:
            self._look(raw)
        self._before = raw[-2:] if len(raw) > 1 else (self._before + raw)[-2:]
        if 0 <= dot < len(raw) and dot != end:
            raw = raw.replace(b"\r\n.", b"\r\n")
        if self._skip and raw:
            raw, self._skip = raw[self._skip :], 0
        return raw, rest

    def _look(self, raw: bytes) -> None:
        held = self._held
        # CRLF, dot, CR may still become the true end.
        sure = held[:2] if held == b"\r\n.\r" else held
        self.smuggling = _LOOKALIKE.search(self._before + raw + sure) is not None


def _beginning_of_end(buffer: bytes) -> int:
    """How many of the last bytes may be the beginning of the end of the data."""
    for length in (4, 3, 2, 1):
        if buffer.endswith(_END[:length]):
            return length
    return 0


def stuff(content: bytes) -> bytes:
    """A message as DATA carries it: dots doubled, the end appended. Line ends must be CRLF."""
    if content[:1] == b".":
        content = b"." + content
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return content + (b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n")
