"""Reading BODYSTRUCTURE as a client does (RFC 9051 section 7.5.2), beside what Python's parser says."""

import email.message
import re
from dataclasses import dataclass

_TOKEN = re.compile(rb' *(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n|(NIL)(?=[ )])|(\d+)|([^ ()"{]+))', re.DOTALL)

Value = list["Value"] | bytes | int | None


@dataclass(frozen=True, slots=True)
class Shape:
    """What two parsers can agree on."""

    kind: str
    size: int | None = None
    """Octets of the body as transferred; None for containers."""
    encoding: str = ""
    charset: str | None = None
    children: tuple["Shape", ...] = ()


def read(data: bytes, at: int = 0) -> tuple[Value, int]:
    """One parenthesised value and where it ends. Raises AssertionError for what is not of the grammar."""
    stack: list[list[Value]] = [[]]
    while True:
        token = _TOKEN.match(data, at)
        assert token is not None, data[at : at + 80]
        at = token.end()
        opened, closed, quoted, literal, nil, number, atom = token.groups()
        if opened:
            stack.append([])
        elif closed:
            done = stack.pop()
            stack[-1].append(done)
        elif quoted is not None:
            assert b"\r" not in quoted
            assert b"\n" not in quoted
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted))
        elif literal is not None:
            stack[-1].append(data[at : at + int(literal)])
            at += int(literal)
        else:
            stack[-1].append(None if nil else int(number) if number else atom)
        if len(stack) == 1:
            return stack[0][0], at


def _text(value: Value) -> str:
    assert isinstance(value, bytes)
    return value.decode("latin-1").lower()


def shape(value: Value) -> Shape:
    """The shape of a BODYSTRUCTURE."""
    assert isinstance(value, list)
    if isinstance(value[0], list):
        count = next(number for number, item in enumerate(value) if not isinstance(item, list))
        return Shape(f"multipart/{_text(value[count])}", children=tuple(shape(item) for item in value[:count]))
    kind = f"{_text(value[0])}/{_text(value[1])}"
    parameters = value[2] or []
    assert isinstance(parameters, list)
    names = dict(zip(map(_text, parameters[::2]), parameters[1::2], strict=True))
    size = value[6]
    assert isinstance(size, int)
    charset = _text(names["charset"]) if "charset" in names and kind.startswith("text/") else None
    if kind == "message/rfc822":
        return Shape(kind, children=(shape(value[8]),))
    if kind.startswith("text/"):
        assert isinstance(value[7], int)
    return Shape(kind, size, _text(value[5]), charset)


def python_shape(message: email.message.Message) -> Shape:
    """The same by Python's parser."""
    kind = message.get_content_type()
    if message.is_multipart() and kind != "message/delivery-status":
        return Shape(kind, children=tuple(python_shape(part) for part in message.get_payload()))  # type: ignore[arg-type]
    encoding = str(message.get("Content-Transfer-Encoding", "7bit")).strip().lower()
    if kind == "message/delivery-status":
        return Shape(kind, None, encoding)  # Python splits it into blocks of fields.
    charset = message.get_param("charset") if kind.startswith("text/") else None
    name = charset[2] if isinstance(charset, tuple) else charset
    return Shape(kind, len(body_of(message)), encoding, None if name is None else str(name).lower())


def body_of(message: email.message.Message) -> bytes:
    """The body of a leaf as it was transferred; get_payload() would decode its charset."""
    payload = message._payload  # type: ignore[attr-defined]
    assert isinstance(payload, str)
    return payload.encode("ascii", "surrogateescape")


def comparable(found: Shape) -> Shape:
    """Without what only one side can tell."""
    if found.kind == "message/delivery-status":
        return Shape(found.kind, None, found.encoding)
    if found.kind.startswith("text/") and found.charset is None:
        # RFC 2045 section 5.2: the default, which BODYSTRUCTURE may tell or leave out.
        return Shape(found.kind, found.size, found.encoding, "us-ascii")
    return Shape(found.kind, found.size, found.encoding, found.charset, tuple(map(comparable, found.children)))
