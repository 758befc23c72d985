"""From the bytes of a message to its MIME tree. Any bytes are a message; nothing here raises."""

import re
from dataclasses import dataclass

from everpost.message.addresses import to_text
from everpost.message.envelope import Envelope, envelope_of
from everpost.message.fields import Fields, header_end
from everpost.message.part import Params, Part, pack, unpack

__all__ = ["Message", "Part", "pack", "parse", "unpack"]

RFCS = (2045, 2046, 2231, 5322)

# Deeper or more parts than these are not looked into: such a part counts as a leaf.
MAX_DEPTH = 50
MAX_PARTS = 1000

_TYPE = re.compile(rb"\s*([!#-'*+\-.0-9A-Z^-~]+)\s*/\s*([!#-'*+\-.0-9A-Z^-~]+)\s*")
_TOKEN = re.compile(rb"\s*([!#-'*+\-.0-9A-Z^-~]+)\s*")
_PARAM = re.compile(rb";\s*([^\s=;\"()]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;\s]*))", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*\)")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
MAX_PARAMS = 100


@dataclass(frozen=True, slots=True)
class Message:
    """A parsed message: offsets into `raw`."""

    raw: bytes
    root: Part
    fields: Fields
    envelope: Envelope


def parse(raw: bytes) -> Message:
    """Parse a message with CRLF or LF line ends. Never raises; the work is linear in size times depth."""
    body_start = header_end(raw, 0, len(raw))
    fields = Fields(raw[:body_start])
    return Message(raw, _Tree(raw).part(0, len(raw), 0, digest=False, fields=fields), fields, envelope_of(fields))


def parameters(value: bytes) -> Params:
    """The parameters after a media type or disposition (RFC 2045 section 5.1), names in lower case."""
    if b";" not in value:
        return ()
    found = []
    for match in _PARAM.finditer(value):
        name, quoted, token = match.groups()
        if quoted is not None and b"\\" in quoted:
            quoted = _ESCAPED.sub(rb"\1", quoted)
        found.append((to_text(name.lower()), to_text(token if quoted is None else quoted)))
        if len(found) >= MAX_PARAMS:
            break
    return tuple(found)


def _plain(value: bytes) -> bytes:
    """Without comments (RFC 2045 section 5.1), if there are any outside of quotes."""
    if b"(" in value and b'"' not in value.partition(b"(")[0]:
        return _COMMENT.sub(b"", value)
    return value


class _Tree:
    """Builds the parts of one message."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._count = 0

    def part(self, start: int, end: int, depth: int, *, digest: bool, fields: Fields | None = None) -> Part:
        """The entity at raw[start:end]; inside multipart/digest the type defaults to message/rfc822."""
        self._count += 1
        raw = self._raw
        body_start = header_end(raw, start, end)
        mime = (fields or Fields(raw[start:body_start])).get
        kind, subtype, params = self._type(mime("content-type"), digest=digest)
        children: tuple[Part, ...] = ()
        embedded = None
        if depth < MAX_DEPTH and self._count < MAX_PARTS:
            if kind == "multipart":
                children = self._parts(params, subtype, body_start, end, depth)
                if not children:
                    # IMAP knows no multipart without parts: an empty text stands in.
                    children = (Part(end, end, end, 0, params=(("charset", "us-ascii"),)),)
            elif kind == "message" and subtype in {"rfc822", "global"}:
                inner_end = header_end(raw, body_start, end)
                inner = Fields(raw[body_start:inner_end])
                embedded = envelope_of(inner)
                children = (self.part(body_start, end, depth + 1, digest=False, fields=inner),)
        elif kind == "multipart":
            kind, subtype, params = "application", "octet-stream", ()
        disposition, disposition_params = self._disposition(mime("content-disposition"))
        encoding = _TOKEN.match(_plain(mime("content-transfer-encoding") or b"7bit"))
        language = mime("content-language")
        return Part(
            start,
            body_start,
            end,
            raw.count(b"\n", body_start, end),
            kind,
            subtype,
            params,
            to_text(encoding.group(1).lower()) if encoding else "7bit",
            _optional(mime("content-id")),
            _optional(mime("content-description")),
            disposition,
            disposition_params,
            _optional(mime("content-md5")),
            tuple(to_text(tag.strip()) for tag in language.split(b",") if tag.strip()) if language else (),
            _optional(mime("content-location")),
            children,
            embedded,
        )

    @staticmethod
    def _type(value: bytes | None, *, digest: bool) -> tuple[str, str, Params]:
        found = _TYPE.match(_plain(value)) if value else None
        if found is None:
            # RFC 2045 section 5.2 and RFC 2046 section 5.1.5
            if digest and not value:
                return "message", "rfc822", ()
            return "text", "plain", (("charset", "us-ascii"),)
        kind, subtype = to_text(found.group(1).lower()), to_text(found.group(2).lower())
        assert value is not None
        params = parameters(value)
        if not params and kind == "text":
            params = (("charset", "us-ascii"),)
        return kind, subtype, params

    @staticmethod
    def _disposition(value: bytes | None) -> tuple[str | None, Params]:
        found = _TOKEN.match(_plain(value)) if value else None
        if found is None:
            return None, ()
        assert value is not None
        return to_text(found.group(1).lower()), parameters(value)

    def _parts(self, params: Params, subtype: str, start: int, end: int, depth: int) -> tuple[Part, ...]:
        """The parts between the delimiters (RFC 2046 section 5.1.1)."""
        mark = _boundary(params)
        if not mark:
            return ()
        digest = subtype == "digest"
        parts: list[Part] = []
        begin = -1
        for line_start, after, closing in self._delimiters(b"--" + mark, start, end):
            # Two delimiters in a row are one: between them there is not even a header.
            if 0 <= begin < line_start:
                parts.append(self.part(begin, max(begin, self._before(line_start)), depth + 1, digest=digest))
                if self._count >= MAX_PARTS:
                    return tuple(parts)
            begin = -1 if closing else after
            if closing:
                break
        if begin >= 0:
            # No closing delimiter: the last part goes on to the end.
            parts.append(self.part(begin, end, depth + 1, digest=digest))
        return tuple(parts)

    def _delimiters(self, mark: bytes, start: int, end: int) -> list[tuple[int, int, bool]]:
        """(start of the line, start of the next line, closing) of each delimiter line."""
        raw = self._raw
        found: list[tuple[int, int, bool]] = []
        place = start if raw.startswith(mark, start, end) else self._next(mark, start, end)
        while place >= 0 and len(found) <= MAX_PARTS:
            after = place + len(mark)
            closing = raw.startswith(b"--", after, end)
            line_end = raw.find(b"\n", after, end)
            rest = raw[after + (2 if closing else 0) : min(after + 80, end if line_end < 0 else line_end)]
            # Longer boundaries that begin alike are others'; white space may follow ours.
            if closing or not rest.strip(b" \t\r"):
                found.append((place, end if line_end < 0 else line_end + 1, closing))
                if closing:
                    break
            place = self._next(mark, after, end)
        return found

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


def _boundary(params: Params) -> bytes:
    """The boundary parameter, also where it comes coded or in pieces (RFC 2231 sections 3 and 4)."""
    pieces: dict[int, str] = {}
    for name, value in params:
        if name == "boundary":
            return value.rstrip().encode()
        base, star, rest = name.partition("*")
        if base == "boundary" and star:
            number = rest.removesuffix("*")
            coded = name.endswith("*")
            place = int(number) if number.isdigit() and len(number) < 4 else 0
            if coded and not place and value.count("'") >= 2:
                value = value.split("'", 2)[2]
            pieces[place] = _PERCENT.sub(lambda found: chr(int(found.group(1), 16)), value) if coded else value
    return "".join(pieces[place] for place in sorted(pieces)).rstrip().encode()


def _optional(value: bytes | None) -> str | None:
    return None if value is None else to_text(value)
