"""Address lists in header fields, read with tolerance and in time linear in their length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

RFCS = (5322, 6532)

# The most addresses one field is read for, and the longest value (characters) that is looked at.
MAX_ADDRESSES = 5_000
MAX_VALUE = 256 * 1024

# All quantifiers are possessive: nothing here may go back over what it has read.
_ATOM = r"[^ \t\r\n\"(),:;<>@\[\]\\]++"
_PLAIN = re.compile(rf"[ \t]*+({_ATOM})@({_ATOM})[ \t]*+")
_NAMED = re.compile(rf"[ \t]*+(?:\"([^\"\\]*+)\"[ \t]*+|([^\"(),:;<>@\[\]\\]*+))<({_ATOM})@({_ATOM})>[ \t]*+")
_NOT_SIMPLE = re.compile(r"[\"(:;\[\\]")

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]++)"
    r"|\"(?P<quoted>(?:[^\"\\]++|\\.)*+)(?P<closed>\")?+"
    r"|(?P<literal>\[[^\[\]<>,;\"]*+\])"
    r"|(?P<special>[(<>@,;:])"
    r"|(?P<word>\[|[^ \t\r\n\"(<>@,;:\[]++)",
    re.DOTALL,
)
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\n]++")


class Mailbox(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=0):
    """One address; `name` is the display name, raw (perhaps with encoded words), without its quotes."""

    name: str | None
    local: str
    domain: str | None


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=1):
    """A named group (RFC 5322 section 3.4)."""

    name: str
    members: tuple[Mailbox, ...]


def to_text(value: bytes) -> str:
    """Raw header bytes as text: UTF-8 (RFC 6532), or what is not that as Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def parse_list(value: bytes | str) -> list[Mailbox | Group]:
    """The addresses of a field's value. Never raises; what cannot be read is left out or kept as a local part."""
    text = to_text(value[:MAX_VALUE]) if isinstance(value, bytes) else value[:MAX_VALUE]
    found = _NAMED.fullmatch(text)
    if found:
        return [_named(found)]
    if not _NOT_SIMPLE.search(text):
        simple = _split(text)
        if simple is not None:
            return simple
    return _Reader().read(text)


def _named(found: re.Match[str]) -> Mailbox:
    quoted, plain, local, domain = found.groups()
    if quoted is None:
        quoted = _BLANKS.sub(" ", plain).strip()
    return Mailbox(quoted or None, local, domain)


def _split(text: str) -> list[Mailbox | Group] | None:
    """The quick way for lists without quotes, comments and groups; None if it is not that simple."""
    result: list[Mailbox | Group] = []
    for piece in text.split(",", MAX_ADDRESSES)[:MAX_ADDRESSES]:
        found = _PLAIN.fullmatch(piece)
        if found:
            result.append(Mailbox(None, found.group(1), found.group(2)))
            continue
        found = _NAMED.fullmatch(piece)
        if found:
            result.append(_named(found))
        elif piece.strip():
            return None
    return result


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """(kind, text): kind is `space`, `quoted`, `literal`, `word`, `comment`, or the special character itself."""
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            place += 1
            continue
        kind, piece, place = found.lastgroup or "", found.group(), found.end()
        if kind in {"quoted", "closed"}:
            if found.group("closed") is None:
                # Never closed. It is read again without any quotes, once, so that the work stays linear.
                text, place = text[found.start() + 1 :].replace('"', " "), 0
                continue
            yield "quoted", _ESCAPED.sub(r"\1", found.group("quoted"))
        elif piece == "(":
            end = _comment_end(text, place)
            if end < 0:
                text, place = text[place:].replace("(", " "), 0
                continue
            yield "comment", text[place : end - 1]
            place = end
        else:
            yield piece if kind == "special" else kind, piece


def _comment_end(text: str, place: int) -> int:
    """Where a comment ends that began before `place`, nested ones included; -1 if it is never closed."""
    depth = 1
    for found in _IN_COMMENT.finditer(text, place):
        if found.group() == "(":
            depth += 1
        elif found.group() == ")":
            depth -= 1
            if not depth:
                return found.end()
    return -1


@dataclass(slots=True)
class _Reader:
    """The slow way: one pass over the tokens, a constant amount of work for each."""

    done: list[Mailbox | Group] = field(default_factory=list)
    count: int = 0
    group: str = ""
    members: list[Mailbox] | None = None
    outside: list[tuple[str, str]] = field(default_factory=list)
    """Tokens of the current entry before its `<`: a name, or a bare address."""
    inside: list[tuple[str, str]] | None = None
    """Tokens after `<`."""
    closed: bool = False
    """Whether its `>` was met."""
    after: list[tuple[str, str]] = field(default_factory=list)
    """Tokens after `>`: a name in the wrong place, or the next entry's where a comma is missing."""
    at: bool = False
    """Whether `outside` holds an @."""
    comment: str = ""

    def read(self, text: str) -> list[Mailbox | Group]:
        for kind, piece in _tokens(text):
            self._take(kind, piece)
            if self.count >= MAX_ADDRESSES:
                break
        self._end_entry()
        self._end_group()
        return self.done

    def _take(self, kind: str, piece: str) -> None:
        angle = self.inside is not None and not self.closed
        match kind:
            case "comment":
                self.comment = piece
            case ",":
                # RFC 5322 section 4.4: in an obsolete route commas stand between the hosts.
                if not (angle and self.inside and self.inside[0][0] == "@"):
                    self._end_entry()
            case ";":
                self._end_entry()
                self._end_group()
            case ":" if angle and self.inside and self.inside[0][0] == "@":
                self.inside = []
            case ":" if self.inside is None and self.members is None and not self.at:
                self.group, self.members, self.outside = _phrase(self.outside), [], []
                self.comment = ""
            case "<":
                if self.inside and self.closed:
                    after, self.after = self.after, []
                    self._end_entry()
                    self.outside = after
                self.inside, self.closed = [], False
            case ">":
                self.closed = self.inside is not None
            case _ if angle:
                assert self.inside is not None
                self.inside.append((kind, piece))
            case _ if self.closed:
                self.after.append((kind, piece))
            case _:
                self.outside.append((kind, piece))
                self.at = self.at or kind == "@"

    def _end_entry(self) -> None:
        mailbox = _mailbox(self.outside, self.inside, _phrase(self.after) or self.comment.strip())
        if mailbox is not None:
            self.count += 1
            (self.done if self.members is None else self.members).append(mailbox)
        self.outside, self.inside, self.after = [], None, []
        self.closed, self.at, self.comment = False, False, ""

    def _end_group(self) -> None:
        if self.members is not None:
            self.count += 1
            self.done.append(Group(self.group, tuple(self.members)))
            self.members = None


def _phrase(tokens: list[tuple[str, str]]) -> str:
    """A display name: words with one space between them, quoted ones as they are."""
    return "".join(" " if kind == "space" else piece for kind, piece in tokens).strip(" ")


def _mailbox(outside: list[tuple[str, str]], inside: list[tuple[str, str]] | None, aside: str) -> Mailbox | None:
    """The entry's mailbox; `aside` is a comment or what stands after the address: a name if there is no other."""
    if inside is not None:
        name = _phrase(outside) or aside or None
        _, local, domain = _address(inside)
        if not local and domain is None:
            return Mailbox(name, "", None) if name else None
        return Mailbox(name, local, domain)
    before, local, domain = _address(outside)
    if not local and domain is None:
        return None
    return Mailbox(before or aside or None, local, domain)


def _address(tokens: list[tuple[str, str]]) -> tuple[str, str, str | None]:
    """(words before, local part, domain), parted at the last @."""
    at = next((place for place in range(len(tokens) - 1, -1, -1) if tokens[place][0] == "@"), -1)
    if at < 0:
        return "", _phrase(tokens), None
    domain = "".join(piece for kind, piece in tokens[at + 1 :] if kind != "space")
    # The local part goes back to a space that has no dot beside it (RFC 5322 section 4.4 allows those that have).
    start = end = at
    while end and tokens[end - 1][0] == "space":
        end -= 1
    start = end
    while start:
        if tokens[start - 1][0] == "space":
            dotted = start < end and tokens[start][1].startswith(".")
            dotted = dotted or (start > 1 and tokens[start - 2][0] == "word" and tokens[start - 2][1].endswith("."))
            if not dotted:
                break
        start -= 1
    local = "".join(piece for kind, piece in tokens[start:end] if kind != "space")
    return _phrase(tokens[:start]), local, domain or None
