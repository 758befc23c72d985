"""IMAP URLs that name bytes of a message (RFC 5092 section 11), as far as CATENATE needs them."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from everpost.access.imap.wire.grammar.fetch import Body, section
from everpost.access.imap.wire.tokens import MAX_32, Reader, SyntaxFault

RFCS = (4469, 5092)

_MESSAGE = re.compile(
    rb"(?:imap://(?P<server>[^/]*))?"
    rb"(?P<path>[^;]*)(?:;UIDVALIDITY=(?P<validity>\d{1,10}))?"
    rb"/?;UID=(?P<uid>\d{1,10})"
    rb"(?:/;SECTION=(?P<section>[^;]*))?"
    rb"(?:/;PARTIAL=(?P<offset>\d{1,10})(?:\.(?P<length>\d{1,10}))?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """Which bytes of which message."""

    mailbox: str | None
    """None for the selected one."""
    uid_validity: int | None
    uid: int
    body: Body


def message_url(text: bytes) -> MessageUrl | None:
    """None if it names no message, or one of another server."""
    found = _MESSAGE.fullmatch(text)
    if found is None or found["server"] is not None:
        return None
    path = unquote_to_bytes(found["path"])
    if path and not path.startswith(b"/"):
        return None
    partial = b""
    if found["offset"] is not None:
        partial = b"<%b.%b>" % (found["offset"], found["length"] or b"%d" % MAX_32)
    reader = Reader(b"[%b]%b" % (unquote_to_bytes(found["section"] or b""), partial))
    try:
        # RFC 5092: names in URLs are UTF-8.
        name = path[1:].removesuffix(b"/").decode()
        body = section(reader, peek=True)
        reader.end()
    except (SyntaxFault, UnicodeDecodeError):
        return None
    if name.upper() == "INBOX":
        name = "INBOX"
    validity = found["validity"]
    return MessageUrl(name or None, None if validity is None else int(validity), int(found["uid"]), body)
