"""SMTP replies."""

import re
from dataclasses import dataclass
from functools import lru_cache

RFCS = (2034, 3463, 5321)

_UNSAFE = re.compile(r"[^\x20-\x7e\u0080-\U0010ffff]+")
# RFC 5321 section 4.5.3.1.5: 512 octets with code and CRLF.
_MAX_TEXT = 480


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: code, enhanced status code (None where there is none), text of one or more lines."""

    code: int
    status: str | None
    text: str | tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The text as lines."""
        return (self.text,) if isinstance(self.text, str) else self.text

    @property
    def is_positive(self) -> bool:
        """2xx."""
        return 200 <= self.code < 300

    @property
    def is_temporary(self) -> bool:
        """4xx."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """5xx."""
        return 500 <= self.code < 600

    def to_bytes(self, *, utf8: bool = True) -> bytes:
        """The wire form. Control characters become spaces, so a text can never forge a line.

        Without `utf8` other characters than ASCII become `?`: RFC 6531 section 3.7.4 keeps UTF-8 in replies
        for clients that asked for SMTPUTF8.
        """
        return _render(self, utf8)

    def __str__(self) -> str:
        status = "" if self.status is None else self.status + " "
        return f"{self.code} {status}{' '.join(self.lines)}"


@lru_cache(maxsize=1024)
def _render(reply: Reply, utf8: bool) -> bytes:
    # Most replies of a server are the same few over and over.
    prefix = "" if reply.status is None else reply.status + " "
    *first, last = [_clean(prefix + line, utf8) for line in reply.lines] or [_clean(prefix, utf8)]
    return b"".join(b"%d-%b\r\n" % (reply.code, line) for line in first) + b"%d %b\r\n" % (reply.code, last)


def _clean(text: str, utf8: bool) -> bytes:
    data = _UNSAFE.sub(" ", text).encode("utf-8" if utf8 else "ascii", "replace")
    if len(data) > _MAX_TEXT:
        data = data[:_MAX_TEXT].decode("utf-8", "ignore").encode()
    return data
