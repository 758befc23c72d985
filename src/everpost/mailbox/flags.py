"""Flags as IMAP names and as stored: five bits, and keywords as text."""

from functools import lru_cache

from everpost.store.sql.messages import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

_BITS = {
    "\\Seen": SEEN,
    "\\Answered": ANSWERED,
    "\\Flagged": FLAGGED,
    "\\Deleted": DELETED,
    "\\Draft": DRAFT,
}
SYSTEM = tuple(_BITS)
_BY_LOWER = {name.lower(): name for name in _BITS}

# RFC 5788 registry: known keywords have one spelling.
KNOWN_KEYWORDS = ("$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing", "$SubmitPending", "$Submitted")
_KNOWN_BY_LOWER = {name.lower(): name for name in KNOWN_KEYWORDS}

MAX_KEYWORD = 128
MAX_KEYWORDS_BYTES = 16_384


def canonical(name: str) -> str:
    """A flag in its usual spelling; keywords are compared without regard to case (RFC 9051 section 2.3.2)."""
    lower = name.lower()
    return _BY_LOWER.get(lower) or _KNOWN_BY_LOWER.get(lower) or name


def bit(name: str) -> int:
    """The bit of a system flag, in any case; 0 for a keyword."""
    return _BITS.get(canonical(name), 0)


@lru_cache(maxsize=4096)
def names(bits: int, keywords: str) -> frozenset[str]:
    """The stored form as names."""
    flags = {name for name, mask in _BITS.items() if bits & mask}
    flags.update(keywords.split(" ") if keywords else ())
    return frozenset(flags)


@lru_cache(maxsize=4096)
def stored(flags: frozenset[str]) -> tuple[int, str]:
    """Names as (bits, keywords); unknown backslash flags (\\Recent) are left out.

    Keywords that differ only in case count as one: the first in sorting order wins.
    """
    bits = 0
    keywords: dict[str, str] = {}
    for name in sorted(flags):
        known = canonical(name)
        if known in _BITS:
            bits |= _BITS[known]
        elif not name.startswith("\\"):
            keywords.setdefault(known.lower(), known)
    return bits, " ".join(sorted(keywords.values()))


def change(bits: int, keywords: str, op: str, flags: frozenset[str]) -> tuple[int, str]:
    """The stored form after `op` ("set", "add" or "remove") with `flags`."""
    new_bits, new_keywords = stored(flags)
    if op == "set":
        return new_bits, new_keywords
    if op == "add":
        if not new_keywords:
            return bits | new_bits, keywords
        return stored(names(bits | new_bits, keywords) | flags)
    gone = {word.lower() for word in new_keywords.split(" ")}
    kept = " ".join(word for word in keywords.split(" ") if word.lower() not in gone)
    return bits & ~new_bits, kept
