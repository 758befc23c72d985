"""SMTP as a client hears it: bytes to replies, bounded; and how commands are written. Pure."""

import re
from collections.abc import Mapping

from everpost.core.errors import ProtocolError
from everpost.smtp.extensions.xtext import encode
from everpost.smtp.wire.reply import Reply

RFCS = (5321, 2034, 9422)

MAX_REPLY = 64 * 1024
MAX_LINES = 200

_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: +|$)")


class BadReply(ProtocolError):
    """What a server said is no SMTP reply."""

    default_status = "5.5.0"


class ReplyReader:
    """Collects replies from bytes cut anywhere."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []
        self._code = 0
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Bytes from the server. Raises BadReply if there are too many that are no reply."""
        self._buffer += data
        if len(self._buffer) > MAX_REPLY:
            raise BadReply("the server's reply is too long")

    def next_reply(self) -> Reply | None:
        """The next whole reply; None if more bytes are needed. Raises BadReply.

        Servers that end lines by LF alone are understood; of lines with differing codes the last counts.
        """
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[:end].rstrip(b"\r"), self._buffer[end + 1 :]
            found = _LINE.fullmatch(line)
            if found is None:
                raise BadReply("the server's reply makes no sense")
            code, mark, text = found.groups()
            self._code = int(code)
            self._lines.append((text or b"").decode("utf-8", "replace"))
            self._size += len(line)
            if self._size > MAX_REPLY or len(self._lines) > MAX_LINES:
                raise BadReply("the server's reply is too long")
            if mark != b"-":
                lines, self._lines, self._size = self._lines, [], 0
                return _reply(self._code, lines)
        return None

    @property
    def has_more(self) -> bool:
        """Bytes are left over: the server said more than it was asked."""
        return bool(self._buffer or self._lines)

    def forget(self) -> None:
        """Drop what is buffered, as before TLS (RFC 3207 section 5)."""
        self._buffer = b""
        self._lines = []


def _reply(code: int, lines: list[str]) -> Reply:
    found = _STATUS.match(lines[0])
    if found is None or int(found.group(1)[0]) != code // 100:
        return Reply(code, None, tuple(lines))
    status = found.group(1)
    plain = tuple(line[len(status) :].lstrip() if line.startswith(status) else line for line in lines)
    return Reply(code, status, plain)


def extensions(reply: Reply) -> dict[str, str]:
    """Keywords of an EHLO reply in upper case, with their parameters."""
    found: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword.upper().startswith("AUTH="):
            # Old servers announce AUTH=LOGIN beside AUTH.
            continue
        if keyword:
            found[keyword.upper()] = parameters.strip()
    return found


def limit(offers: Mapping[str, str], name: str) -> int | None:
    """A limit that the server announced by LIMITS (RFC 9422 section 3); None if it did not."""
    for word in offers.get("LIMITS", "").split():
        key, _, value = word.partition("=")
        if key.upper() == name and value.isascii() and value.isdigit() and 0 < len(value) < 7 and int(value) > 0:
            return int(value)
    return None


def command(*words: str) -> bytes:
    """A command line. Raises ProtocolError for words that would break it."""
    line = " ".join(word for word in words if word)
    if "\r" in line or "\n" in line or "\0" in line:
        raise ProtocolError("a control character in a command")
    return line.encode() + b"\r\n"


def parameter(name: str, value: str) -> str:
    """`NAME=value` with the value in xtext; nothing for an empty value."""
    return f"{name}={encode(value)}" if value else ""
