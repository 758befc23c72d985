"""ENABLE (RFC 9051 section 6.3.1)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from everpost.access.imap.commands import qresync
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (5161, 6855, 9051, 9586)


def _rev2(session: "Session") -> bool:
    fresh = not session.rev2
    session.rev2 = True
    return fresh


def _condstore(session: "Session") -> bool:
    fresh = not session.condstore
    session.enable_condstore()
    return fresh


def _utf8(session: "Session") -> bool:
    fresh = not session.utf8_accept
    session.utf8_accept = True
    return fresh


def _uid_only(session: "Session") -> bool:
    fresh = not session.uid_only
    session.uid_only = True
    if session.selected is not None:
        # What is told by sequence numbers cannot be told any more.
        known = session.selected.contexts
        session.selected.contexts = {tag: context for tag, context in known.items() if context.is_uid}
    return fresh


# By the name in capitals: how it is written, and what turns it on and says whether it was off before.
EXTENSIONS: dict[str, tuple[str, Callable[["Session"], bool]]] = {
    "CONDSTORE": ("CONDSTORE", _condstore),
    "QRESYNC": ("QRESYNC", qresync.enable),
    "UTF8=ACCEPT": ("UTF8=ACCEPT", _utf8),
    "IMAP4REV2": ("IMAP4rev2", _rev2),
    "UIDONLY": ("UIDONLY", _uid_only),
}


async def run(session: "Session", command: Command) -> Outcome:
    """Turn extensions on; unknown ones are passed over.

    Unlike RFC 5161 section 3.1 it may be used in the selected state too: nothing is lost by it.
    """
    reader = Reader.of(command)
    names = [reader.word("the name of an extension")]
    while reader.skip(b" "):
        names.append(reader.word("the name of an extension"))
    reader.end()
    enabled = []
    for name in dict.fromkeys(names):
        written, turn_on = EXTENSIONS.get(name, ("", None))
        if turn_on is not None and turn_on(session):
            enabled.append(written)
    session.untagged(b"ENABLED", *(name.encode() for name in enabled))
    return ok("ENABLE completed")
