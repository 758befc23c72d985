"""The header of a message just taken in, as the checks look at it: before anything is parsed."""

import re
from functools import lru_cache


def header_end(raw: bytes) -> int:
    """Where the empty line begins that ends the header; the whole length if there is none."""
    if raw.startswith(b"\r\n"):
        return 0
    end = raw.find(b"\r\n\r\n")
    return len(raw) if end < 0 else end + 2


@lru_cache(maxsize=32)
def _field(name: str) -> re.Pattern[bytes]:
    """A whole field with its folded lines. Names are our own words, never a peer's."""
    return re.compile(rb"(?im)^" + name.encode() + rb"[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?:\r\n|\Z)")


def values(header: bytes, name: str) -> list[bytes]:
    """The bodies of all fields of this name, unfolded and stripped."""
    return [found.replace(b"\r\n", b"").strip() for found in _field(name).findall(header)]


def has(header: bytes, name: str) -> bool:
    """True if there is a field of this name."""
    return _field(name).search(header) is not None


def without(header: bytes, *names: str) -> bytes:
    """The header without the fields of these names."""
    for name in names:
        header = _field(name).sub(b"", header)
    return header
