"""Address lists in header fields, read with tolerance."""

import re

import msgspec

RFCS = (5322, 6532)

# The most addresses one field is read for.
MAX_ADDRESSES = 5_000

_ATOM = r"[^\s\"(),:;<>@\[\]\\]+"
_PLAIN = re.compile(rf"\s*({_ATOM})@({_ATOM})\s*")
_NAMED = re.compile(rf"\s*(?:\"([^\"\\]*)\"|([^\"(),:;<>@\[\]\\]*?))\s*<\s*({_ATOM})@({_ATOM})\s*>\s*")
_TOKEN = re.compile(r"\s+|\"((?:[^\"\\]|\\.)*)\"?|\(|[<>@,;:]|\[[^\]]*\]?|[^\s\"(<>@,;:\[]+", re.DOTALL)


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
    text = to_text(value) if isinstance(value, bytes) else value
    if not any(char in text for char in '"(:;[\\'):
        simple = _split(text)
        if simple is not None:
            return simple
    else:
        found = _NAMED.fullmatch(text)
        if found:
            return [_named(found)]
    return _Parser(text).run()


def _named(found: re.Match[str]) -> Mailbox:
    quoted, plain, local, domain = found.groups()
    return Mailbox((quoted if quoted is not None else plain) or None, local, domain)


def _split(text: str) -> list[Mailbox | Group] | None:
    """The quick way for lists without quotes, comments and groups; None if it is not that simple."""
    result: list[Mailbox | Group] = []
    for piece in text.split(",", MAX_ADDRESSES):
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


class _Parser:
    """The slow way: tokens to mailboxes and groups."""

    def __init__(self, text: str) -> None:
        self._tokens = list(self._tokenize(text))
        self._place = 0

    @staticmethod
    def _tokenize(text: str) -> list[tuple[str, str]]:
        """(kind, text): kind is the character itself, or `word`, `quoted`, `literal`, `comment`, `space`."""
        tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text) and len(tokens) < MAX_ADDRESSES * 8:
            found = _TOKEN.match(text, place)
            if found is None:
                place += 1
                continue
            piece = found.group()
            place = found.end()
            if piece == "(":
                comment, place = _comment(text, place)
                tokens.append(("comment", comment))
            elif piece[0] == '"':
                tokens.append(("quoted", re.sub(r"\\(.)", r"\1", found.group(1) or "", flags=re.DOTALL)))
            elif piece[0] == "[":
                tokens.append(("literal", piece))
            elif piece in "<>@,;:":
                tokens.append((piece, piece))
            elif piece.isspace():
                tokens.append(("space", " "))
            else:
                tokens.append(("word", piece))
        return tokens

    def run(self) -> list[Mailbox | Group]:
        result: list[Mailbox | Group] = []
        members: list[Mailbox] | None = None
        group = ""
        phrase: list[tuple[str, str]] = []
        for token in [*self._tokens, (",", ",")]:
            kind = token[0]
            inside = any(each[0] == "<" for each in phrase) and not any(each[0] == ">" for each in phrase)
            if kind == ":" and not inside and members is None and not any(each[0] == "@" for each in phrase):
                group, members, phrase = _phrase(phrase), [], []
            elif kind == ";" or (kind == "," and not inside):
                mailbox = _mailbox(phrase)
                phrase = []
                if mailbox is not None:
                    (result if members is None else members).append(mailbox)
                if kind == ";" and members is not None:
                    result.append(Group(group, tuple(members)))
                    members = None
            else:
                phrase.append(token)
                if len(phrase) > 2000:
                    phrase = []
        if phrase:
            mailbox = _mailbox(phrase)
            if mailbox is not None:
                (result if members is None else members).append(mailbox)
        if members is not None:
            result.append(Group(group, tuple(members)))
        return result[:MAX_ADDRESSES]


def _comment(text: str, place: int) -> tuple[str, int]:
    """A comment's content, nested ones included, from after its `(`; and where it ends."""
    depth = 1
    start = place
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return text[start:place], place + 1
        place += 1
    return text[start:], place


def _phrase(tokens: list[tuple[str, str]]) -> str:
    text = "".join(text for kind, text in tokens if kind != "comment")
    return re.sub(r"\s+", " ", text).strip()


def _mailbox(tokens: list[tuple[str, str]]) -> Mailbox | None:
    """One mailbox from the tokens between two commas."""
    kinds = [kind for kind, _ in tokens]
    if "<" in kinds:
        open_at = len(kinds) - 1 - kinds[::-1].index("<")
        close_at = kinds.index(">", open_at) if ">" in kinds[open_at:] else len(kinds)
        name = _phrase(tokens[:open_at])
        inside = tokens[open_at + 1 : close_at]
        # RFC 5322 section 4.4: an obsolete route before the address.
        if inside and inside[0][0] == "@" and any(kind == ":" for kind, _ in inside):
            inside = inside[[kind for kind, _ in inside].index(":") + 1 :]
    else:
        comments = [text for kind, text in tokens if kind == "comment"]
        name = comments[-1].strip() if comments else ""
        inside = tokens
    inside = [token for token in inside if token[0] not in {"comment", "space"}]
    if not inside:
        return Mailbox(name, "", None) if name and "<" in kinds else None
    at = max((place for place, (kind, _) in enumerate(inside) if kind == "@"), default=-1)
    if at < 0:
        return Mailbox(name or None, "".join(text for _, text in inside), None)
    local = "".join(text for _, text in inside[:at])
    domain = "".join(text for _, text in inside[at + 1 :])
    return Mailbox(name or None, local, domain or None)
