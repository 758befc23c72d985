"""ID (RFC 2971)."""

from typing import TYPE_CHECKING

from everpost import __version__
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (2971,)

# RFC 2971 section 3.3
MAX_FIELDS = 30
LOGGED = ("name", "version", "os")


async def run(session: "Session", command: Command) -> Outcome:
    """Tell each other what one is."""
    reader = Reader.of(command)
    told: dict[str, str] = {}
    if reader.at(b"("):
        name = None
        for place, _ in enumerate(reader.items()):
            if place >= 2 * MAX_FIELDS:
                reader.fail("fewer fields")
            if place % 2 == 0:
                name = reader.string("the name of a field").decode("utf-8", "replace").lower()
            elif name is not None:
                told[name] = (reader.nstring("a value") or b"").decode("utf-8", "replace")[:100]
    elif reader.nstring("a list in parentheses or NIL") is not None:
        reader.fail("a list in parentheses or NIL")
    reader.end()
    session.log.info("client.identified", **{f"client_{name}": told[name] for name in LOGGED if name in told})
    own = {b"name": b"Everpost", b"version": __version__.encode()}
    session.untagged(b"ID", response.listed(response.string(word) for pair in own.items() for word in pair))
    return ok("ID completed")
