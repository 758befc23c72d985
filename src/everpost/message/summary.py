"""What lists, sorting, threads and most searches need of a message, decoded once, at delivery."""

import re

import msgspec

from everpost.message.addresses import Group, Mailbox
from everpost.message.dates import parse as parse_date
from everpost.message.envelope import Addresses
from everpost.message.fields import Fields
from everpost.message.parse import Message
from everpost.message.part import Part
from everpost.message.subjects import base_subject
from everpost.message.text import first_part, part_text
from everpost.message.words import decode

RFCS = (5256, 8970)

# RFC 8970 section 3.1: a preview has at most 256 characters.
PREVIEW = 256
_PREVIEW_BYTES = 4096
MAX_REFERENCES = 100

_ID = re.compile(r"<([^<>\s]{1,250})>")
_BODY = re.compile(r"<body\b[^>]*>?", re.IGNORECASE)
# Tags, and what is never shown with its tags: comments, styles, scripts, titles.
_TAG = re.compile(r"<[^>]*>?")
_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(style|script|title)\b.*?(?:</\1[^>]*>?|\Z)", re.DOTALL | re.IGNORECASE)
_SUSPECTS = ("<!--", "<style", "<STYLE", "<Style", "<script", "<SCRIPT", "<title", "<TITLE")
_ENTITY = re.compile(r"&(nbsp|amp|lt|gt|quot|#39|zwnj|#8203|shy);")
_ENTITIES = {"nbsp": " ", "amp": "&", "lt": "<", "gt": ">", "quot": '"', "#39": "'"}


class Summary(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """Decoded values; empty where the message has none."""

    sent_ms: int | None
    """The Date field, unix milliseconds."""
    sent_day: int | None
    """The day in the Date field as written there, without its zone: days since 1970-01-01."""
    subject: str
    base_subject: str
    is_reply: bool
    """The subject says that it is a reply or forward."""
    from_: str
    """The From fields as text, encoded words decoded; likewise the others."""
    to: str
    cc: str
    from_key: str
    """What SORT FROM goes by: the first mailbox's local part; likewise the others."""
    to_key: str
    cc_key: str
    from_name: str
    """What is shown: the first mailbox's display name, or its address; likewise `to_name`."""
    to_name: str
    message_id: str
    """Without angle brackets."""
    references: tuple[str, ...]
    """Ids from References, else the first of In-Reply-To; oldest first."""
    preview: str
    attachments: bool
    """Whether a part is meant to be saved rather than read."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Summary)


def pack(summary: Summary) -> bytes:
    """The summary as it is stored."""
    return _encoder.encode(summary)


def unpack(data: bytes) -> Summary:
    """The stored summary again."""
    return _decoder.decode(data)


def summarise(message: Message) -> Summary:
    """Compute it. Never raises."""
    fields, envelope = message.fields, message.envelope
    subject = decode(envelope.subject or b"")
    base, is_reply = base_subject(subject)
    moment = parse_date(envelope.date) if envelope.date else None
    sent_ms = sent_day = None
    if moment is not None:
        sent_ms = int(moment.timestamp() * 1000)
        sent_day = moment.toordinal() - 719_163
    from_key, from_name = _first(envelope.from_)
    to_key, to_name = _first(envelope.to)
    return Summary(
        sent_ms,
        sent_day,
        subject,
        base,
        is_reply,
        _text(fields, "from"),
        _text(fields, "to"),
        _text(fields, "cc"),
        from_key,
        to_key,
        _first(envelope.cc)[0],
        from_name,
        to_name,
        _message_id(envelope.message_id),
        references(fields),
        preview(message.raw, message.root),
        has_attachments(message.root),
    )


def _text(fields: Fields, name: str) -> str:
    values = fields.all(name)
    return decode(values[0]) if len(values) == 1 else "\n".join(map(decode, values))


def _first(addresses: Addresses) -> tuple[str, str]:
    """(local part, what to show) of the first mailbox."""
    for address in addresses:
        mailbox = address
        if isinstance(address, Group):
            if not address.members:
                continue
            mailbox = address.members[0]
        assert isinstance(mailbox, Mailbox)
        name = decode(mailbox.name.encode()) if mailbox.name else ""
        shown = name or (f"{mailbox.local}@{mailbox.domain}" if mailbox.domain else mailbox.local)
        return mailbox.local, shown
    return "", ""


def _message_id(value: bytes | None) -> str:
    if not value:
        return ""
    text = value.decode("utf-8", "replace")
    found = _ID.search(text)
    return found.group(1) if found else text.strip()[:250]


def references(fields: Fields) -> tuple[str, ...]:
    """Ids of the messages before this one, oldest first (RFC 5256 section 3, step 1)."""
    value = fields.get("references")
    found = _ID.findall(value.decode("utf-8", "replace")) if value else []
    if not found:
        value = fields.get("in-reply-to")
        found = _ID.findall(value.decode("utf-8", "replace"))[:1] if value else []
    return tuple(found if len(found) <= MAX_REFERENCES else [*found[:20], *found[-80:]])


def preview(raw: bytes, root: Part) -> str:
    """The beginning of the text as one line."""
    part = first_part(root)
    if part is None:
        return ""
    text = part_text(raw, part, _PREVIEW_BYTES)
    if part.subtype == "html":
        text = _shown(text)
    return " ".join(text[: PREVIEW * 8].split())[:PREVIEW].replace("\0", "")


def _shown(html: str) -> str:
    """Roughly what a reader sees of the beginning of an HTML text."""
    body = _BODY.search(html)
    if body:
        html = html[body.end() :]
    if any(suspect in html for suspect in _SUSPECTS):
        html = _UNSEEN.sub(" ", html)
    html = _TAG.sub(" ", html)
    return _ENTITY.sub(lambda found: _ENTITIES.get(found.group(1), ""), html) if "&" in html else html


def has_attachments(part: Part) -> bool:
    """Whether something is meant to be saved: called attachment, or neither text nor shown inside of the text."""
    if part.disposition == "attachment":
        return True
    if part.is_multipart:
        return part.subtype not in {"alternative", "related"} and any(map(has_attachments, part.children))
    return part.type not in {"text", "multipart"} and part.disposition != "inline" and part.id is None
