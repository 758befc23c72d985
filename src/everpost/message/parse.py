"""From the bytes of a message to its MIME tree. Any bytes are a message; nothing here raises."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from everpost.message.addresses import to_text
from everpost.message.envelope import Envelope, envelope_of
from everpost.message.fields import Fields, header_end, unfold
from everpost.message.part import Params, Part, pack, unpack

__all__ = ["Message", "Part", "pack", "parse", "unpack"]

RFCS = (2045, 2046, 2231, 5322)

# Deeper or more parts than these are not looked into: such a part counts as a leaf.
MAX_DEPTH = 50
MAX_PARTS = 1000
MAX_PARAMS = 100

# Of one header, and of all headers below the top one together, so many bytes are looked at.
MAX_HEADER = 256 * 1024
MAX_INNER_HEADERS = 512 * 1024
# So many lines that are delimiters or begin like one are looked at.
MAX_DELIMITERS = 10_000
# Each level of nesting goes over its bytes again: this many bytes, or times the message, then parts are leaves.
_PASSES_BYTES = 64 * 1024 * 1024
_PASSES = 4

_LONGEST_CACHED = 128

# All quantifiers are possessive: nothing here may go back over what it has read.
_TYPE = re.compile(rb"\s*+([!#-'*+\-.0-9A-Z^-~]++)\s*+/\s*+([!#-'*+\-.0-9A-Z^-~]++)")
_TOKEN = re.compile(rb"\s*+([!#-'*+\-.0-9A-Z^-~]++)")
_PARAM = re.compile(rb";\s*+([^\s=;\"()]++)\s*+=\s*+(?:\"((?:[^\"\\]++|\\.)*+)\"?+|([^;]*+))", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*+\)")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

_US_ASCII: Params = (("charset", "us-ascii"),)
Pairs = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """A parsed message: offsets into `raw`."""

    raw: bytes
    root: Part
    fields: Fields
    """Of the top-level header, as far as MAX_HEADER."""
    envelope: Envelope


def parse(raw: bytes) -> Message:
    """Parse a message with CRLF or LF line ends. Never raises; the work is linear in the message's size."""
    body_start = header_end(raw, 0, len(raw))
    fields = Fields(raw[: min(body_start, MAX_HEADER)])
    root = _Tree(raw).part(0, body_start, len(raw), 0, fields=fields, digest=False)
    return Message(raw, root, fields, envelope_of(fields))


def parameters(value: bytes) -> Params:
    """The parameters after a media type or disposition (RFC 2045 section 5.1), names in lower case."""
    return tuple((to_text(name), to_text(content)) for name, content in _pairs(value)) if b";" in value else ()


def _pairs(value: bytes) -> Pairs:
    found: Pairs = []
    for match in _PARAM.finditer(value):
        name, quoted, plain = match.groups()
        if quoted is None:
            # Unquoted values with spaces are wrong and common; a comment may follow.
            content = _plain(plain).rstrip()
        else:
            content = _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        found.append((name.lower(), content))
        if len(found) >= MAX_PARAMS:
            break
    return found


def _plain(value: bytes) -> bytes:
    """Without comments (RFC 2045 section 5.1), if there are any outside of quotes."""
    if b"(" in value and b'"' not in value.partition(b"(")[0]:
        return _COMMENT.sub(b"", value)
    return value


def _media_type(value: bytes) -> tuple[str, str, Params] | None:
    value = unfold(value)
    found = _TYPE.match(_plain(value))
    if found is None:
        return None
    kind = to_text(found.group(1).lower())
    params = parameters(value)
    if not params and kind == "text":
        params = _US_ASCII
    return kind, to_text(found.group(2).lower()), params


def _token(value: bytes) -> tuple[str | None, Params]:
    """A disposition or an encoding, and what follows it."""
    value = unfold(value)
    found = _TOKEN.match(_plain(value))
    return (to_text(found.group(1).lower()), parameters(value)) if found else (None, ())


# Most parts say one of a few dozen things.
_known_type = lru_cache(512)(_media_type)
_known_token = lru_cache(512)(_token)


class _Tree:
    """Builds the parts of one message."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._count = 0
        self._headers = MAX_INNER_HEADERS
        self._delimiters_left = MAX_DELIMITERS
        self._passes = _PASSES * len(raw) + _PASSES_BYTES

    def part(
        self, start: int, body_start: int, end: int, depth: int, *, digest: bool, fields: Fields | None = None
    ) -> Part:
        """The entity at raw[start:end]; inside multipart/digest the type defaults to message/rfc822."""
        self._count += 1
        raw = self._raw
        first = (self._inner(start, body_start) if fields is None else fields).first
        value = first.get(b"content-type", b"")
        media = _known_type(value) if len(value) < _LONGEST_CACHED else _media_type(value)
        if media is not None:
            kind, subtype, params = media
        elif digest and not value.strip():
            kind, subtype, params = "message", "rfc822", ()
        else:
            # RFC 2045 section 5.2
            kind, subtype, params = "text", "plain", _US_ASCII
        children: tuple[Part, ...] = ()
        embedded = None
        lines = 0
        if kind == "text":
            lines = raw.count(b"\n", body_start, end)
        elif kind == "multipart":
            if self._may_enter(depth, body_start, end):
                children = self._parts(_boundary(_pairs(unfold(value))), subtype, body_start, end, depth)
                if not children:
                    # IMAP knows no multipart without parts: an empty text stands in.
                    children = (Part(end, end, end, 0, params=_US_ASCII),)
            else:
                kind, subtype, params = "application", "octet-stream", ()
        elif kind == "message" and subtype in {"rfc822", "global"}:
            if self._may_enter(depth, body_start, end):
                lines = raw.count(b"\n", body_start, end)
                inner_start = header_end(raw, body_start, end)
                inner = self._inner(body_start, inner_start)
                embedded = envelope_of(inner)
                children = (self.part(body_start, inner_start, end, depth + 1, digest=False, fields=inner),)
            else:
                # IMAP has no form for an embedded message without its envelope.
                kind, subtype, params = "application", "octet-stream", ()
        encoding = disposition = None
        disposition_params: Params = ()
        if b"content-transfer-encoding" in first:
            value = first[b"content-transfer-encoding"]
            encoding = (_known_token if len(value) < _LONGEST_CACHED else _token)(value)[0]
        if b"content-disposition" in first:
            value = first[b"content-disposition"]
            disposition, disposition_params = (_known_token if len(value) < _LONGEST_CACHED else _token)(value)
        language = first.get(b"content-language")
        return Part(
            start,
            body_start,
            end,
            lines,
            kind,
            subtype,
            params,
            encoding or "7bit",
            _optional(first.get(b"content-id")),
            _optional(first.get(b"content-description")),
            disposition,
            disposition_params,
            _optional(first.get(b"content-md5")),
            () if language is None else _tags(language),
            _optional(first.get(b"content-location")),
            children,
            embedded,
        )

    def _inner(self, start: int, end: int) -> Fields:
        """A header below the top one, cut where the budget ends."""
        size = min(end - start, MAX_HEADER, self._headers)
        self._headers -= size
        return Fields(self._raw[start : start + size])

    def _may_enter(self, depth: int, start: int, end: int) -> bool:
        self._passes -= end - start
        return depth < MAX_DEPTH and self._count < MAX_PARTS and self._passes > 0

    def _parts(self, boundary: bytes, subtype: str, start: int, end: int, depth: int) -> tuple[Part, ...]:
        """The parts between the delimiters (RFC 2046 section 5.1.1)."""
        if not boundary:
            return ()
        digest = subtype == "digest"
        parts: list[Part] = []
        begin = -1
        for line_start, after, closing in self._delimiters(b"--" + boundary, start, end):
            # Two delimiters in a row are one: between them there is not even a header.
            if 0 <= begin < line_start:
                parts.append(self._entity(begin, max(begin, self._before(line_start)), depth + 1, digest=digest))
                if self._count >= MAX_PARTS:
                    return tuple(parts)
            begin = -1 if closing else after
        if begin >= 0:
            # No closing delimiter: the last part goes on to the end.
            parts.append(self._entity(begin, end, depth + 1, digest=digest))
        return tuple(parts)

    def _entity(self, start: int, end: int, depth: int, *, digest: bool) -> Part:
        return self.part(start, header_end(self._raw, start, end), end, depth, digest=digest)

    def _delimiters(self, mark: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """(start of the line, start of the next line, closing) of each delimiter line; a closing one is the last."""
        raw = self._raw
        place = start if raw.startswith(mark, start, end) else self._next(mark, start, end)
        while place >= 0 and self._delimiters_left > 0:
            self._delimiters_left -= 1
            after = place + len(mark)
            closing = raw.startswith(b"--", after, end)
            line_end = raw.find(b"\n", after, end)
            rest = raw[after + (2 if closing else 0) : min(after + 80, end if line_end < 0 else line_end)]
            # Longer boundaries that begin alike are others'; white space may follow ours.
            if not rest.strip(b" \t\r"):
                yield place, end if line_end < 0 else line_end + 1, closing
                if closing:
                    return
            place = self._next(mark, after, end)

    def _next(self, mark: bytes, start: int, end: int) -> int:
        place = self._raw.find(b"\n" + mark, max(start - 1, 0), end)
        return place + 1 if place >= 0 else -1

    def _before(self, line_start: int) -> int:
        """Where a body ends whose delimiter line starts here: the line end before belongs to the delimiter."""
        raw = self._raw
        if line_start and raw[line_start - 1] == 0x0A:
            line_start -= 1
            if line_start and raw[line_start - 1] == 0x0D:
                line_start -= 1
        return line_start


def _boundary(pairs: Pairs) -> bytes:
    """The boundary parameter, also where it comes coded or in pieces (RFC 2231 sections 3 and 4)."""
    pieces: dict[int, bytes] = {}
    for name, value in pairs:
        if name == b"boundary":
            return value.rstrip()
        base, star, rest = name.partition(b"*")
        if base == b"boundary" and star:
            number = rest.removesuffix(b"*")
            coded = name.endswith(b"*")
            place = int(number) if number.isdigit() and len(number) < 4 else 0
            if coded and not place and value.count(b"'") >= 2:
                value = value.split(b"'", 2)[2]
            if coded:
                value = _PERCENT.sub(lambda found: bytes((int(found.group(1), 16),)), value)
            pieces[place] = value
    return b"".join(pieces[place] for place in sorted(pieces)).rstrip()


def _optional(value: bytes | None) -> str | None:
    return None if value is None else to_text(unfold(value))


def _tags(value: bytes) -> tuple[str, ...]:
    """Language tags (RFC 3282 section 2)."""
    return tuple(to_text(tag.strip()) for tag in unfold(value).split(b",", MAX_PARAMS) if tag.strip())
