"""A header as its fields, in order, values raw."""

import re
from collections.abc import Iterator, Mapping
from typing import Self

RFCS = (5322,)

# RFC 5322 section 2.2: printable ASCII but the colon, with the folded lines that follow; white space before
# the colon is the obsolete form of section 4.5.
_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)

_EMPTY_LINE = re.compile(rb"\n\r?\n")
# So far the pattern looks for the empty line: a few times faster than `find` on real headers, slower on what
# has no empty line at all.
_NEAR = 64 * 1024


def unfold(value: bytes) -> bytes:
    """The value on one line, without surrounding white space (RFC 5322 section 2.2.3)."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip(b" \t\r")


class Fields:
    """The fields of one header. Parsed when first asked."""

    __slots__ = ("_first", "_items", "_raw")

    def __init__(self, raw: bytes) -> None:
        """`raw` is the header with or without its blank line."""
        self._raw = raw
        self._items: list[tuple[bytes, bytes]] | None = None
        self._first: dict[bytes, bytes] | None = None

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """The header of a whole message."""
        return cls(raw[: header_end(raw, 0, len(raw))])

    def items(self) -> list[tuple[bytes, bytes]]:
        """(name as written, raw value as written, folding included) in order."""
        if self._items is None:
            self._items = _FIELD.findall(self._raw)
        return self._items

    @property
    def first(self) -> Mapping[bytes, bytes]:
        """Lower-case name to the raw value of the first field of that name."""
        if self._first is None:
            self._first = {name.lower(): value for name, value in reversed(self.items())}
        return self._first

    def get(self, name: str) -> bytes | None:
        """The first field of that name, unfolded; None if there is none."""
        value = self.first.get(name.lower().encode())
        return None if value is None else unfold(value)

    def all(self, name: str) -> list[bytes]:
        """All fields of that name, unfolded."""
        wanted = name.lower().encode()
        if wanted not in self.first:
            return []
        return [unfold(value) for key, value in self.items() if len(key) == len(wanted) and key.lower() == wanted]

    def count(self, name: str) -> int:
        """How many fields have that name."""
        return len(self.all(name))

    def __contains__(self, name: str) -> bool:
        return name.lower().encode() in self.first

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.items())


def header_end(raw: bytes, start: int, end: int) -> int:
    """Where the body begins in raw[start:end]: after the first empty line; `end` if there is none."""
    if raw.startswith(b"\r\n", start, end):
        return start + 2
    if raw.startswith(b"\n", start, end):
        return start + 1
    near = min(end, start + _NEAR)
    found = _EMPTY_LINE.search(raw, start, near)
    if found:
        return found.end()
    if near == end:
        return end
    # An empty line may lie across the edge.
    crlf = raw.find(b"\n\r\n", near - 2, end)
    bare = raw.find(b"\n\n", near - 2, end if crlf < 0 else crlf + 1)
    if bare >= 0:
        return bare + 2
    return end if crlf < 0 else crlf + 3


def select(raw: bytes, names: frozenset[bytes], *, but: bool = False) -> bytes:
    """The header's fields whose lower-case names are among `names` (or, with `but`, are not), as written.

    RFC 9051 section 6.4.5.1, HEADER.FIELDS and HEADER.FIELDS.NOT; ends with an empty line.
    """
    pieces = []
    for found in _FIELD.finditer(raw):
        if (found.group(1).lower() in names) != but:
            piece = found.group()
            pieces.append(piece + b"\n" if piece.endswith(b"\r") else piece + b"\r\n")
    pieces.append(b"\r\n")
    return b"".join(pieces)
