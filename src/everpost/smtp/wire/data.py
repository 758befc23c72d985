"""The content of a message on the wire: its end, its transparency, its line ends (RFC 5321 section 4.5.2)."""

import re
from dataclasses import dataclass

RFCS = (5321,)

# A line that goes on and on is given out in pieces of this size.
_LONG_LINE = 64 * 1024

# What some other server might take for the end of the data: a dot alone on a line by any reading of "line".
_LOOKALIKE = re.compile(rb"(?:^|[\r\n])\.(?:[\r\n])")


@dataclass(slots=True)
class LineEnds:
    """Counts whether every CR is followed by LF and every LF preceded by CR, over any cuts."""

    _returns: int = 0
    _feeds: int = 0
    _pairs: int = 0
    _open: bool = False

    def add(self, data: bytes) -> bool:
        """Take note of a piece; False if this piece has a bare CR or LF inside."""
        feeds = data.count(b"\n")
        returns = data.count(b"\r")
        pairs = data.count(b"\r\n")
        if self._open and data[:1] == b"\n":
            pairs += 1
        if data:
            self._open = data[-1:] == b"\r"
        self._feeds += feeds
        self._returns += returns
        self._pairs += pairs
        return self._feeds == self._pairs and self._returns - self._open == self._pairs

    @property
    def are_clean(self) -> bool:
        """Whether all line ends so far were CRLF; ask at the end."""
        return self._feeds == self._pairs == self._returns


class DataReader:
    """Finds the end of DATA and undoes dot-stuffing, over any cuts of the bytes."""

    __slots__ = ("_buffer", "_line_start", "ends", "smuggling")

    def __init__(self) -> None:
        self._buffer = b""
        self._line_start = True
        self.ends = LineEnds()
        self.smuggling = False
        """Something that others might take for the end of the data was seen."""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take bytes; return (content, None), or at the end (content, the bytes that follow the end)."""
        buffer = self._buffer + data if self._buffer else data
        if self._line_start and buffer.startswith(b".\r\n"):
            self._buffer = b""
            return b"", buffer[3:]
        end = buffer.find(b"\r\n.\r\n")
        if end >= 0:
            content = self._take(buffer[: end + 2])
            self._buffer = b""
            return content, buffer[end + 5 :]
        cut = self._cut(buffer)
        self._buffer = buffer[cut:]
        return self._take(buffer[:cut]) if cut else b"", None

    def _cut(self, buffer: bytes) -> int:
        """Up to where the bytes can be given out: after the last whole line, or in the midst of a long one."""
        cut = buffer.rfind(b"\r\n") + 2
        if cut < 2:
            cut = 0
        if len(buffer) - cut > _LONG_LINE:
            cut = len(buffer) - (1 if buffer.endswith(b"\r") else 0)
        return cut

    def _take(self, raw: bytes) -> bytes:
        if not self.ends.add(raw) and not self.smuggling:
            self.smuggling = bool(_LOOKALIKE.search(raw if self._line_start else b"x" + raw))
        if self._line_start and raw[:1] == b".":
            raw = raw[1:]
        self._line_start = raw.endswith(b"\r\n") or (not raw and self._line_start)
        return raw.replace(b"\r\n.", b"\r\n") if b"\r\n." in raw else raw


def stuff(content: bytes) -> bytes:
    """A message as DATA carries it: dots doubled, the end appended. Line ends must be CRLF."""
    if content[:1] == b".":
        content = b"." + content
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return content + (b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n")
