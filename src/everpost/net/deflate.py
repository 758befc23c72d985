"""Raw DEFLATE in both directions of a connection (RFC 1951), with bounded steps."""

import zlib
from collections.abc import Awaitable, Callable

RFCS = (1951, 4978)

# So much is unpacked at once, however well it was packed.
STEP_BYTES = 64 * 1024
# 32 KiB for a connection's compressor instead of 256; mail gets hardly larger by it.
_LEVEL = 3
_WINDOW_BITS = 12
_MEMORY = 5


class BadDeflate(ValueError):
    """The peer's bytes are no DEFLATE."""


class Deflate:
    """What is sent is packed, what is received is unpacked."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY)
        # The peer may use the largest window.
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""
        self._full = False

    @property
    def ended(self) -> bool:
        """The peer finished its stream."""
        return self._unpacker.eof

    def pack(self, data: bytes) -> bytes:
        """All of it, so that the peer can unpack it at once."""
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def feed(self, data: bytes) -> None:
        """Packed bytes from the peer."""
        self._waiting += data

    def unpack(self) -> bytes:
        """Up to STEP_BYTES of what was fed; b"" if more has to be fed first. Raises BadDeflate."""
        if not self._waiting and not self._full:
            return b""
        try:
            data = self._unpacker.decompress(self._waiting, STEP_BYTES)
        except zlib.error as error:
            raise BadDeflate(str(error)) from error
        self._waiting = self._unpacker.unconsumed_tail
        # What came out may not be all although nothing is left to put in.
        self._full = len(data) == STEP_BYTES
        return data

    async def receive(
        self, take: Callable[[float], Awaitable[bytes | None]], timeout: float, now: Callable[[], float]
    ) -> bytes | None:
        """What `take` gives within `timeout` seconds, unpacked; b"" at the end. Raises BadDeflate."""
        until = now() + timeout
        while True:
            if plain := self.unpack():
                return plain
            if self.ended:
                return b""
            packed = await take(max(until - now(), 0.0))
            if not packed:
                return packed
            self.feed(packed)
