"""CANCELUPDATE (RFC 5267 section 4.3.5)."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import ClientFault, Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (5267,)


async def run(session: "Session", command: Command) -> Outcome:
    """Let go of searches whose results were kept up to date."""
    reader = Reader.of(command)
    tags = [_tag(reader)]
    while reader.skip(b" "):
        tags.append(_tag(reader))
    reader.end()
    known = session.need_selected().contexts
    if any(tag not in known for tag in tags):
        raise ClientFault("no search with this tag is kept up to date")
    for tag in dict.fromkeys(tags):
        del known[tag]
    return ok("CANCELUPDATE completed")


def _tag(reader: Reader) -> str:
    return reader.string("the tag of a search in quotes").decode("ascii", "replace")
