"""Which bytes of a message BODY[...] and BINARY[...] mean, by the offsets kept since delivery."""

import binascii
from functools import lru_cache

from everpost.access.imap.wire.grammar.fetch import Kind, Partial, Section
from everpost.core.errors import Refused
from everpost.message.fields import header_end, select
from everpost.message.part import Part
from everpost.message.text import from_base64

RFCS = (9051, 3516)


class UnknownEncoding(Refused):
    """A transfer encoding that cannot be undone (RFC 3516 section 4.3)."""


def needs_tree(section: Section) -> bool:
    """Whether the part tree is needed, or the message's bytes are enough."""
    return bool(section.path)


def is_header(section: Section) -> bool:
    """Whether the message's header is enough."""
    return not section.path and section.kind in {Kind.HEADER, Kind.FIELDS, Kind.FIELDS_NOT}


def extract(raw: bytes, tree: Part | None, section: Section) -> bytes | None:
    """The bytes of a section of a message (or, for those of `is_header`, of its header); None if there is none."""
    if section.path:
        assert tree is not None
        part = tree.find(section.path)
        return None if part is None else _of_part(raw, part, section)
    body = header_end(raw, 0, len(raw)) if tree is None else tree.body_start
    match section.kind:
        case Kind.TEXT:
            return raw[body:]
        case Kind.HEADER | Kind.FIELDS | Kind.FIELDS_NOT:
            return _header(raw[:body], section)
        case _:
            return raw


def _of_part(raw: bytes, part: Part, section: Section) -> bytes | None:
    match section.kind:
        case Kind.ALL:
            return raw[part.body_start : part.body_end]
        case Kind.MIME:
            return raw[part.header_start : part.body_start]
        case Kind.TEXT | Kind.HEADER | Kind.FIELDS | Kind.FIELDS_NOT:
            # RFC 9051 section 6.4.5.1: these belong to an embedded message.
            if not part.is_message:
                return None
            inner = part.children[0]
            if section.kind is Kind.TEXT:
                return raw[inner.body_start : inner.body_end]
            return _header(raw[inner.header_start : inner.body_start], section)


def _header(header: bytes, section: Section) -> bytes:
    if section.kind is Kind.HEADER:
        return header
    return select(header, _lower(section.fields), but=section.kind is Kind.FIELDS_NOT)


@lru_cache(maxsize=256)
def _lower(names: tuple[bytes, ...]) -> frozenset[bytes]:
    return frozenset(name.lower() for name in names)


def cut(data: bytes, partial: Partial | None) -> bytes:
    """The bytes asked for; none if the offset is beyond the end."""
    return data if partial is None else data[partial.offset : partial.offset + partial.length]


def decoded(raw: bytes, tree: Part, path: str) -> bytes | None:
    """A part with its transfer encoding undone; None if there is none. Raises UnknownEncoding."""
    if not path:
        return raw
    part = tree.find(path)
    if part is None:
        return None
    data = raw[part.body_start : part.body_end]
    if part.is_multipart or part.is_message:
        return data
    match part.encoding:
        case "base64":
            return from_base64(data)
        case "quoted-printable":
            return binascii.a2b_qp(data)
        case "7bit" | "8bit" | "binary":
            return data
        case _:
            raise UnknownEncoding("the transfer encoding of a part is not known here")
