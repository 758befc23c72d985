"""LSUB (RFC 3501 section 6.3.9), which IMAP4rev2 has no more."""

from typing import TYPE_CHECKING

from everpost.access.imap.folders import list_line, matcher, parents
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.listing import lsub
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501,)


async def run(session: "Session", command: Command) -> Outcome:
    """Tell which names are subscribed to."""
    request = lsub(Reader.of(command), utf8=session.utf8)
    names = frozenset(await session.need_mail().subscriptions())
    for pattern in request.patterns:
        fits = matcher(request.reference + pattern)
        found = {name for name in names if fits(name)}
        # "%" tells a name that has subscribed ones below it, though it is not subscribed itself.
        above = {name for name in parents(names - found) if fits(name)} if "%" in pattern else set()
        for name in sorted(found | above):
            told = () if name in found else ("\\Noselect",)
            session.machine.send(list_line(name, told, utf8=session.utf8, command=b"LSUB"))
    return ok("LSUB completed")
