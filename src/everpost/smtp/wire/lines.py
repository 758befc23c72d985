"""The bytes from a client that nobody has taken yet, and the lines among them."""

RFCS = (5321, 4954)

MAX_LINE = 4096
# RFC 4954 section 4: of AUTH and of the answers to its challenges.
MAX_AUTH_LINE = 12_288


class Input:
    """A buffer that is read from its front without being copied for every line."""

    __slots__ = ("_at", "_data", "_return_skipped")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._return_skipped = False

    def __len__(self) -> int:
        return len(self._data) - self._at

    def append(self, data: bytes) -> None:
        """Bytes from the client."""
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def clear(self) -> None:
        """Forget everything."""
        self._data = b""
        self._at = 0

    def startswith(self, prefix: bytes) -> bool:
        """Whether the next bytes are these, in lower or upper case."""
        return self._data[self._at : self._at + len(prefix)].upper() == prefix

    def peek(self) -> bytes:
        """What is there, without taking it."""
        return self._data[self._at :] if self._at else self._data

    def take(self) -> bytes:
        """Everything that is there."""
        data = self.peek()
        self.clear()
        return data

    def line(self, limit: int) -> bytes | None:
        """The next line with its LF; None if none ends within `limit` octets."""
        end = self._data.find(b"\n", self._at, self._at + limit) + 1
        if not end:
            return None
        line = self._data[self._at : end]
        self._at = end
        if end == len(self._data):
            self.clear()
        return line

    def skip_line(self) -> bytes | None:
        """Throw bytes away to the end of a line; return that end, CRLF or LF, or None if it has not come."""
        data = self.take()
        end = data.find(b"\n")
        if end < 0:
            self._return_skipped = data.endswith(b"\r") if data else self._return_skipped
            return None
        paired = data[end - 1 : end] == b"\r" if end else self._return_skipped
        self._return_skipped = False
        self._data = data[end + 1 :]
        return b"\r\n" if paired else b"\n"
