"""GETMETADATA and SETMETADATA (RFC 5464), and the same with LIST (RFC 9590)."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, no, ok
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.metadata import Get, get, set_values
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (5464, 9590)

MAX_VALUE = 32 * 1024


async def read(session: "Session", command: Command) -> Outcome:
    """Tell what is noted."""
    request = get(Reader.of(command), utf8=session.utf8)
    there = await session.need_mail().annotations(request.name)
    wanted = {name: there.get(name) for name in _wanted(request, there)}
    longest = 0
    if request.max_size is not None:
        too_long = {name: len(value) for name, value in wanted.items() if value and len(value) > request.max_size}
        longest = max(too_long.values(), default=0)
        wanted = {name: value for name, value in wanted.items() if name not in too_long}
    if wanted:
        session.machine.send(line(request.name, wanted, utf8=session.utf8))
    # RFC 5464 section 4.2.1
    return ok("GETMETADATA completed", b"METADATA LONGENTRIES %d" % longest if longest else None)


def _wanted(request: Get, there: Iterable[str]) -> list[str]:
    """The entries asked for by name, then those below them that exist (RFC 5464 section 4.2.2)."""
    found = [name for name in request.entries if name.count("/") > 1]
    for name in request.entries if request.depth else ():
        below = name + "/"
        found.extend(
            each for each in sorted(there) if each.startswith(below) and each[len(below) :].count("/") < request.depth
        )
    return list(dict.fromkeys(found))


def line(name: str, values: Mapping[str, bytes | None], *, utf8: bool) -> bytes:
    """`* METADATA name (entry value ...)`."""
    words = []
    for entry, value in values.items():
        words.append(response.astring(entry.encode()))
        binary = value is not None and b"\0" in value
        words.append(b"~" + response.literal(value) if binary and value else response.string(value))
    wire = response.mailbox(name, utf8=utf8) if name else b'""'
    return response.untagged(b"METADATA", wire, response.listed(words))


async def write(session: "Session", command: Command) -> Outcome:
    """Note values, all or none."""
    request = set_values(Reader.of(command), utf8=session.utf8)
    if any(value is not None and len(value) > MAX_VALUE for value in request.values.values()):
        # RFC 5464 section 4.3
        return no("A value is too long", b"METADATA MAXSIZE %d" % MAX_VALUE)
    await session.need_mail().annotate(request.name, request.values)
    return ok("SETMETADATA completed")
