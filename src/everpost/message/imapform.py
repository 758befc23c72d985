"""ENVELOPE and BODYSTRUCTURE as IMAP writes them (RFC 9051 section 7.5.2), made once, at delivery."""

import re

from everpost.message.addresses import Group, Mailbox
from everpost.message.envelope import Addresses, Envelope
from everpost.message.part import Params, Part

RFCS = (9051,)

# What a quoted string can hold as it is: printable ASCII but the two that are escaped.
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_QUOTABLE = re.compile(rb"[ -~\t]*")
NIL = b"NIL"


def string(value: bytes | None) -> bytes:
    """A nstring: NIL, quoted, or a literal for what is not plain ASCII. NUL cannot be said and is left out."""
    if value is None:
        return NIL
    if _PLAIN.fullmatch(value):
        return b'"%b"' % value
    if _QUOTABLE.fullmatch(value):
        return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    value = value.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(value), value)


def _text(value: str | None) -> bytes:
    return NIL if value is None else string(value.encode())


def _upper(value: str) -> bytes:
    return string(value.upper().encode())


def _address(mailbox: Mailbox) -> bytes:
    return b"(%b NIL %b %b)" % (_text(mailbox.name), _text(mailbox.local), _text(mailbox.domain or ""))


def _addresses(addresses: Addresses) -> bytes:
    if not addresses:
        return NIL
    pieces = []
    for address in addresses:
        match address:
            case Mailbox():
                pieces.append(_address(address))
            case Group():
                # A group begins and ends with an address whose host is NIL.
                pieces.append(b"(NIL NIL %b NIL)" % _text(address.name))
                pieces.extend(map(_address, address.members))
                pieces.append(b"(NIL NIL NIL NIL)")
    return b"(%b)" % b"".join(pieces)


def envelope(value: Envelope) -> bytes:
    """The ENVELOPE."""
    from_ = _addresses(value.from_)
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        string(value.date),
        string(value.subject),
        from_,
        from_ if value.sender is value.from_ else _addresses(value.sender),
        from_ if value.reply_to is value.from_ else _addresses(value.reply_to),
        _addresses(value.to),
        _addresses(value.cc),
        _addresses(value.bcc),
        string(value.in_reply_to),
        string(value.message_id),
    )


def _params(params: Params) -> bytes:
    if not params:
        return NIL
    return b"(%b)" % b" ".join(b"%b %b" % (_upper(name), _text(value)) for name, value in params)


def _disposition(part: Part) -> bytes:
    if part.disposition is None:
        return NIL
    return b"(%b %b)" % (_upper(part.disposition), _params(part.disposition_params))


def _language(part: Part) -> bytes:
    match part.language:
        case ():
            return NIL
        case (only,):
            return _text(only)
        case several:
            return b"(%b)" % b" ".join(map(_text, several))


def _render(part: Part, *, extended: bool) -> bytes:
    if part.is_multipart:
        inside = b"".join(_render(child, extended=extended) for child in part.children)
        form = b"%b %b" % (inside, _upper(part.subtype))
        if extended:
            form += b" %b %b %b %b" % (_params(part.params), _disposition(part), _language(part), _text(part.location))
        return b"(%b)" % form
    form = b"%b %b %b %b %b %b %d" % (
        _upper(part.type),
        _upper(part.subtype),
        _params(part.params),
        _text(part.id),
        _text(part.description),
        _upper(part.encoding),
        part.size,
    )
    if part.embedded is not None:
        form += b" %b %b %d" % (envelope(part.embedded), _render(part.children[0], extended=extended), part.lines)
    elif part.type == "text":
        form += b" %d" % part.lines
    if extended:
        form += b" %b %b %b %b" % (_text(part.md5), _disposition(part), _language(part), _text(part.location))
    return b"(%b)" % form


def body(part: Part) -> bytes:
    """The BODY: without extension data."""
    return _render(part, extended=False)


def bodystructure(part: Part) -> bytes:
    """The BODYSTRUCTURE."""
    return _render(part, extended=True)
