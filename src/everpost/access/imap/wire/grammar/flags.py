"""Flags as arguments (RFC 9051 section 2.3.2)."""

from functools import lru_cache

from everpost.access.imap.wire.tokens import Reader

RFCS = (9051, 5788)

SYSTEM = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
_SYSTEM_BY_LOWER = {name.lower(): name for name in SYSTEM}
MAX_KEYWORD = 128
MAX_FLAGS = 256


@lru_cache(maxsize=1024)
def _known(name: str) -> str:
    return _SYSTEM_BY_LOWER.get(name.lower(), name)


def flag(reader: Reader) -> str:
    """One flag that a client may set; \\Recent comes as it is, for the caller to leave out."""
    start = reader.place
    if reader.skip(b"\\"):
        name = _known("\\" + reader.atom("a flag").decode())
        if name not in SYSTEM and name.lower() != "\\recent":
            reader.place = start
            reader.fail("a flag that this server knows")
        return name
    name = reader.atom("a flag").decode()
    if len(name) > MAX_KEYWORD:
        reader.place = start
        reader.fail(f"a keyword of at most {MAX_KEYWORD} characters")
    return name


def flag_list(reader: Reader) -> frozenset[str]:
    """Flags in parentheses."""
    found: set[str] = set()
    for _ in reader.items():
        _add(reader, found)
    return frozenset(found)


def flags(reader: Reader) -> frozenset[str]:
    """Flags with or without parentheses (STORE)."""
    if reader.at(b"("):
        return flag_list(reader)
    found: set[str] = set()
    _add(reader, found)
    while reader.skip(b" "):
        _add(reader, found)
    return frozenset(found)


def _add(reader: Reader, found: set[str]) -> None:
    name = flag(reader)
    if name.lower() != "\\recent":
        # RFC 3501 section 2.3.2: clients cannot alter \Recent; some send it back all the same.
        found.add(name)
    if len(found) > MAX_FLAGS:
        reader.fail(f"at most {MAX_FLAGS} flags")
