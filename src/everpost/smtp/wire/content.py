"""The content of one message as it arrives, by DATA or by BDAT, with its limits."""

from everpost.smtp.wire.data import DataReader, LineEnds
from everpost.smtp.wire.events import ViolationKind

RFCS = (5321, 3030)

# A client that sends on and on after the limit is cut off after this much more (octets).
EXCESS = 16 * 1024 * 1024


class ContentReceiver:
    """Takes bytes until the message (or the chunk) ends."""

    __slots__ = ("_discard", "_left", "_max_size", "_reader", "ends", "last", "size")

    def __init__(self, max_size: int, reader: DataReader | None, *, discard: bool = False) -> None:
        """`reader` for DATA, None for chunks; `discard` for bytes that belong to no message."""
        self._max_size = max_size
        self._reader = reader
        self._discard = discard
        self._left = 0
        self.ends = reader.ends if reader is not None else LineEnds()
        self.last = reader is not None
        """No chunk follows this one."""
        self.size = 0
        """Octets so far."""

    @classmethod
    def data(cls, max_size: int) -> "ContentReceiver":
        """For DATA."""
        return cls(max_size, DataReader())

    @classmethod
    def chunks(cls, max_size: int) -> "ContentReceiver":
        """For BDAT; `next_chunk` begins each chunk."""
        return cls(max_size, None)

    @classmethod
    def swallowing(cls, octets: int) -> "ContentReceiver":
        """For a chunk nobody wants: its bytes must not be taken for commands."""
        receiver = cls(0, None, discard=True)
        receiver.next_chunk(octets, last=False)
        return receiver

    def next_chunk(self, octets: int, *, last: bool) -> None:
        """A chunk of so many octets follows."""
        self._left = octets
        self.last = last

    def feed(self, buffer: bytes) -> tuple[bytes, bytes | None]:
        """Take bytes: (content to pass on, what follows the end; None while it has not come)."""
        rest: bytes | None
        if self._reader is not None:
            piece, rest = self._reader.feed(buffer)
        else:
            piece = buffer[: self._left]
            self._left -= len(piece)
            rest = None if self._left else buffer[len(piece) :]
            self.ends.add(piece)
        self.size += len(piece)
        if self._discard or self.size > self._max_size:
            piece = b""
        return piece, rest

    @property
    def is_swallowing(self) -> bool:
        """The bytes belong to no message."""
        return self._discard

    @property
    def is_smuggling(self) -> bool:
        """Something in it might end the data elsewhere."""
        return self._reader is not None and self._reader.smuggling

    @property
    def is_endless(self) -> bool:
        """So far over the limit that waiting for the end makes no sense."""
        return self.size > self._max_size + EXCESS

    @property
    def is_too_large(self) -> bool:
        """The limit is passed."""
        return self.size > self._max_size

    @property
    def fault(self) -> ViolationKind | None:
        """Why the message cannot be taken, asked at its end."""
        if self.size > self._max_size:
            return ViolationKind.TOO_LARGE
        if not self.ends.are_clean:
            return ViolationKind.BARE_IN_CONTENT
        return None
