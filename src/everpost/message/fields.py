"""A header as its fields, in order, values raw."""

import re
from collections.abc import Iterator
from typing import Self

RFCS = (5322,)

# RFC 5322 section 2.2: printable ASCII but the colon, with the folded lines that follow; white space before
# the colon is the obsolete form of section 4.5.
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)


def unfold(value: bytes) -> bytes:
    """The value on one line, without surrounding white space (RFC 5322 section 2.2.3)."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip(b" \t\r")


class Fields:
    """The fields of one header. Parsed when first asked."""

    __slots__ = ("_by_name", "_items", "_raw")

    def __init__(self, raw: bytes) -> None:
        """`raw` is the header with or without its blank line."""
        self._raw = raw
        self._items: list[tuple[bytes, bytes]] | None = None
        self._by_name: dict[bytes, list[bytes]] | None = None

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """The header of a whole message."""
        return cls(raw[: header_end(raw, 0, len(raw))])

    def items(self) -> list[tuple[bytes, bytes]]:
        """(name as written, raw value as written, folding included) in order."""
        if self._items is None:
            self._items = _FIELD.findall(self._raw)
        return self._items

    def _index(self) -> dict[bytes, list[bytes]]:
        if self._by_name is None:
            self._by_name = {}
            for name, value in self.items():
                self._by_name.setdefault(name.lower(), []).append(value)
        return self._by_name

    def get(self, name: str) -> bytes | None:
        """The first field of that name, unfolded; None if there is none."""
        found = self._index().get(name.lower().encode())
        return unfold(found[0]) if found else None

    def all(self, name: str) -> list[bytes]:
        """All fields of that name, unfolded."""
        return [unfold(value) for value in self._index().get(name.lower().encode(), ())]

    def count(self, name: str) -> int:
        """How many fields have that name."""
        return len(self._index().get(name.lower().encode(), ()))

    def __contains__(self, name: str) -> bool:
        return name.lower().encode() in self._index()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.items())


def header_end(raw: bytes, start: int, end: int) -> int:
    """Where the body begins in raw[start:end]: after the first empty line; `end` if there is none."""
    if raw.startswith(b"\r\n", start, end):
        return start + 2
    if raw.startswith(b"\n", start, end):
        return start + 1
    crlf = raw.find(b"\n\r\n", start, end)
    bare = raw.find(b"\n\n", start, end if crlf < 0 else crlf + 1)
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
