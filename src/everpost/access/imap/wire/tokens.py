"""Reads the arguments of a command, token by token."""

import re
from collections.abc import Iterator, Mapping
from typing import Never, TypeVar

from everpost.access.imap.wire.events import Command
from everpost.core.errors import ProtocolError

RFCS = (3501, 9051)

# RFC 9051 section 9. Bytes above 127 have no place in an atom; where names may be UTF-8 they come as strings.
ATOM = re.compile(rb"[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
_ASTRING = re.compile(rb"[^\x00-\x20(){%*\"\\\x7f-\xff]+")
# Clients send names as they are, "&" or not; list-char adds the wildcards.
_PATTERN = re.compile(rb"[^\x00-\x20(){\"\\\x7f]+")
_QUOTED = re.compile(rb"\"([^\"\\\r\n]*+)\"")
_ESCAPED = re.compile(rb"\"((?:[^\"\\\r\n]++|\\[^\r\n])*+)\"")
_UNESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_LITERAL = re.compile(rb"(~?)\{\d{1,20}\+?\}\r\n")
_NUMBER = re.compile(rb"\d{1,20}")
_WORD = re.compile(rb"[A-Za-z0-9.=_:/+-]+")

T = TypeVar("T")

MAX_32 = 2**32 - 1
MAX_63 = 2**63 - 1


class SyntaxFault(ProtocolError):
    """The arguments are not what the command takes; the text says where and what was expected."""

    default_status = "5.5.4"


class Reader:
    """A place in the arguments of one command. Its methods raise SyntaxFault and then have moved nowhere."""

    __slots__ = ("_literals", "_offset", "_used", "place", "text")

    def __init__(self, text: bytes, literals: tuple[bytes, ...] = (), offset: int = 0) -> None:
        self.text = text
        self.place = 0
        self._literals = literals
        self._used = 0
        self._offset = offset

    @classmethod
    def of(cls, command: Command) -> "Reader":
        """At the beginning of a command's arguments."""
        return cls(command.text, command.literals, command.offset)

    def fail(self, expected: str) -> Never:
        """Raises SyntaxFault: `expected` is what would have been right here."""
        raise SyntaxFault(f"expected {expected} at position {self._offset + self.place + 1}")

    # Single characters.

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.place >= len(self.text)

    def at(self, token: bytes) -> bool:
        """Whether this comes next."""
        return self.text.startswith(token, self.place)

    def skip(self, token: bytes) -> bool:
        """Go past it if it comes next."""
        if self.text.startswith(token, self.place):
            self.place += len(token)
            return True
        return False

    def expect(self, token: bytes, name: str = "") -> None:
        """Go past it."""
        if not self.skip(token):
            self.fail(name or repr(token.decode()))

    def space(self) -> None:
        """Go past one space."""
        if not self.skip(b" "):
            self.fail("a space and more arguments" if self.at_end else "a space")

    def end(self) -> None:
        """Nothing may be left."""
        if not self.at_end:
            self.fail("the end of the command")

    # Tokens.

    def match(self, pattern: re.Pattern[bytes], name: str) -> re.Match[bytes]:
        """Go past what the pattern matches here."""
        found = pattern.match(self.text, self.place)
        if found is None:
            self.fail(name)
        self.place = found.end()
        return found

    def atom(self, name: str = "an atom") -> bytes:
        """An atom."""
        return self.match(ATOM, name).group()

    def word(self, name: str = "a keyword") -> str:
        """A keyword of the grammar, in capitals."""
        return self.match(_WORD, name).group().decode().upper()

    def choice(self, table: Mapping[str, T], name: str) -> T:
        """What a table has for the keyword that comes next."""
        start = self.place
        found = table.get(self.word(name))
        if found is None:
            self.place = start
            self.fail(name)
        return found

    def number(self, largest: int = MAX_32, name: str = "a number") -> int:
        """A number from 0 to `largest`."""
        start = self.place
        value = int(self.match(_NUMBER, name).group())
        if value > largest:
            self.place = start
            self.fail(f"{name} of at most {largest}")
        return value

    def string(self, name: str = "a string") -> bytes:
        """Quoted or a literal."""
        value = self._string()
        if value is None:
            self.fail(name)
        return value

    def _string(self) -> bytes | None:
        found = _QUOTED.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
            return found.group(1)
        found = _ESCAPED.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
            return _UNESCAPE.sub(rb"\1", found.group(1))
        if self.at(b"{"):
            return self.literal(binary=False)
        return None

    def literal(self, *, binary: bool = True) -> bytes:
        """A literal; with `binary` also a literal8 (RFC 9051 section 4.3)."""
        found = _LITERAL.match(self.text, self.place)
        if found is None or (found.group(1) and not binary) or self._used >= len(self._literals):
            self.fail("a literal")
        self.place = found.end()
        value = self._literals[self._used]
        self._used += 1
        return value

    def astring(self, name: str = "a string") -> bytes:
        """An atom, quoted, or a literal."""
        found = _ASTRING.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
            return found.group()
        return self.string(name)

    def nstring(self, name: str = "a string or NIL") -> bytes | None:
        """NIL, quoted, or a literal."""
        value = self._string()
        if value is not None:
            return value
        if self.text[self.place : self.place + 3].upper() != b"NIL":
            self.fail(name)
        self.place += 3
        return None

    def pattern(self) -> bytes:
        """A mailbox name that may have wildcards (list-mailbox)."""
        found = _PATTERN.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
            return found.group()
        return self.string("a mailbox name or pattern")

    def items(self, *, empty: bool = True) -> Iterator[None]:
        """Go past a parenthesised list: stops before each item, which the caller then reads."""
        self.expect(b"(", "a list in parentheses")
        if empty and self.skip(b")"):
            return
        while True:
            yield
            if self.skip(b")"):
                return
            self.expect(b" ", "a space or ')'")
