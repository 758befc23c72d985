"""What a message's text cannot contain, told from a few hundred bytes: the first sieve of SEARCH TEXT and BODY.

A signature is two bitmaps, one of all header text and one of all body text, as the decision sees them. Each
run of three bytes of the folded text in UTF-8 chooses two bits, and the byte that follows it one of the
two. Wanted text whose bits are not all set is not in the message; if they are, the message must be asked.
Bytes rather than characters: two Chinese characters are then six bytes, four runs.

A bitmap is halved (one half laid over the other) as long as at most `_DENSE` of its bits are set afterwards,
so its size follows the variety of the text. See docs/performance-search.md for what else was measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from everpost.message import words
from everpost.message.part import Part
from everpost.message.text import embedded_headers, leaves, part_text

VERSION = 1
"""Of how signatures are made, decoding of parts and headers included: text decoded otherwise would be missed.

Others are as good as none; changing it needs a migration that forgets the old.
"""

# Shorter wanted text (bytes) says nothing.
RUN = 3

_DENSE = 0.42
_MIN_BITS = 7
# 32 KiB: text with more variety than fits is a candidate more often.
_MAX_BITS = 18
_PREFIX = 3
_PIECE = 256 * 1024
_ASCII = bytes(range(128))
_FEW_BYTES = 500
# Three bytes and bit 2 of the fourth, which splits the letters of most languages evenly.
_KEPT = np.uint32(0x04FFFFFF)
_FOURTH = np.uint32(0x04000000)
# Multiplicative hashing; the shift brings the well mixed high bits down.
_FACTOR = np.uint32(0x9E3779B1)
_SHIFT = np.uint32(20)

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.uint32]


def fold(text: str) -> bytes:
    """Text as it is compared, in UTF-8: one folded text is within another if and only if its bytes are."""
    if text.isascii():
        return text.lower().encode()
    data = text.encode("utf-8", "surrogatepass").lower()
    other = data.translate(None, _ASCII)
    if len(other) > _FEW_BYTES:
        return text.casefold().encode("utf-8", "surrogatepass")
    # In most languages of Latin letters few others have two cases: to replace those takes half the time.
    for letter in set(other.decode("utf-8", "surrogatepass")):
        folded = letter.casefold()
        if folded != letter:
            data = data.replace(letter.encode("utf-8", "surrogatepass"), folded.encode())
    return data


def header_text(raw: bytes, root: Part) -> bytes:
    """The headers of the message and of all its parts, encoded words decoded, folded."""
    header = words.decode(raw[: root.body_start])
    if root.children:
        header = "\n".join((header, *map(words.decode, embedded_headers(raw, root))))
    return fold(header)


def body_texts(raw: bytes, root: Part) -> Iterator[bytes]:
    """The text of each part that has text, folded."""
    for leaf in leaves(root):
        yield fold(part_text(raw, leaf))


def body_text(raw: bytes, root: Part) -> bytes:
    """The text of all parts, folded; a line feed between one and the next."""
    return b"\n".join(body_texts(raw, root))


def sign(raw: bytes, root: Part) -> bytes:
    """The signature of a message: version, the two bitmaps' sizes as powers of two, the bitmaps. Never raises."""
    header_bits, header = _bitmap(header_text(raw, root))
    body_bits, body = _bitmap(body_text(raw, root))
    return bytes((VERSION, header_bits, body_bits)) + header + body


def _bitmap(data: bytes) -> tuple[int, bytes]:
    """(size as a power of two, bitmap of so many bits)."""
    bits = min(max(len(data).bit_length(), _MIN_BITS), _MAX_BITS)
    table: npt.NDArray[np.bool_] = np.zeros(1 << bits, np.bool_)
    for start in range(0, len(data), _PIECE):
        table[_places(_runs(data[start : start + _PIECE + RUN]), bits).astype(np.intp)] = True
    while bits > _MIN_BITS:
        half = 1 << (bits - 1)
        folded = table[:half] | table[half:]
        if np.count_nonzero(folded) > half * _DENSE:
            break
        table = folded
        bits -= 1
    return bits, np.packbits(table, bitorder="little").tobytes()


def _runs(data: bytes) -> Numbers:
    """Each run of four bytes as a number, the first byte lowest, in no order; zeros follow the end."""
    length = (len(data) + 3) & ~3
    padded = data + bytes(length - len(data) + 4)
    return np.frombuffer(b"".join([padded[at : at + length] for at in range(4)]), "<u4")


def _places(runs: Numbers, bits: int) -> Numbers:
    """The place of each run in a bitmap of that size; in a half of it, the same without the highest bit."""
    places = runs & _KEPT
    places *= _FACTOR
    places ^= places >> _SHIFT
    places &= np.uint32((1 << bits) - 1)
    return places


@dataclass(frozen=True, slots=True)
class Probe:
    """What must be set in a bitmap of any size for a wanted text to be there."""

    single: tuple[int, ...]
    """Places that must be set."""
    either: tuple[int, int]
    """Of these two places one must be set."""

    @classmethod
    def of(cls, wanted: bytes) -> "Probe | None":
        """For folded text; None if it is too short to tell anything."""
        if len(wanted) < RUN:
            return None
        runs = np.array([int.from_bytes(wanted[at : at + 4], "little") for at in range(len(wanted) - 2)], np.uint32)
        places = _places(runs, 32).tolist()
        # The last run has no fourth byte: what follows it in a message may be anything.
        other = _places(runs[-1:] ^ _FOURTH, 32).tolist()
        return cls(tuple(dict.fromkeys(places[:-1])), (places[-1], other[0]))

    def among(self, bitmaps: Bytes, rows: npt.NDArray[np.intp] | None = None) -> npt.NDArray[np.intp]:
        """Which rows of a matrix of bitmaps of one size (a power of two), or of these rows, may have it."""
        if rows is None:
            rows = np.arange(len(bitmaps))
        mask = bitmaps.shape[1] * 8 - 1
        for place in self.single:
            at = place & mask
            rows = rows[(bitmaps[rows, at >> 3] & (1 << (at & 7))) != 0]
        one, two = (place & mask for place in self.either)
        found = (bitmaps[rows, one >> 3] & (1 << (one & 7))) | (bitmaps[rows, two >> 3] & (1 << (two & 7)))
        held: npt.NDArray[np.intp] = rows[found != 0]
        return held


def parts(data: bytes) -> tuple[slice, slice] | None:
    """Where the bitmaps of headers and body stand in a signature, or in its first three bytes.

    None if it was not made by this version.
    """
    if len(data) < _PREFIX or data[0] != VERSION or not (_MIN_BITS <= min(data[1:3]) <= max(data[1:3]) <= _MAX_BITS):
        return None
    middle = _PREFIX + (1 << data[1] >> 3)
    return slice(_PREFIX, middle), slice(middle, middle + (1 << data[2] >> 3))


@dataclass(frozen=True, slots=True)
class Signature:
    """A stored signature taken apart."""

    header: bytes
    body: bytes

    @classmethod
    def of(cls, data: bytes) -> "Signature | None":
        """None if it was not made by this version, or is broken."""
        found = parts(data)
        if found is None or len(data) != found[1].stop:
            return None
        return cls(data[found[0]], data[found[1]])

    def may_hold(self, wanted: bytes, *, body_only: bool) -> bool:
        """False only if the folded text is not in the message."""
        probe = Probe.of(wanted)
        if probe is None:
            return True
        return any(
            len(probe.among(np.frombuffer(bitmap, np.uint8)[np.newaxis])) > 0
            for bitmap in ((self.body,) if body_only else (self.body, self.header))
        )
