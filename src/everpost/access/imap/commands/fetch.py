"""FETCH and UID FETCH (RFC 9051 sections 6.4.5 and 6.4.9)."""

from typing import TYPE_CHECKING

from everpost.access.imap.fetch import answer
from everpost.access.imap.outcome import Outcome
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.fetch import fetch
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome:
    """Tell what is asked of messages."""
    return await answer(session, fetch(Reader.of(command)), uid=command.is_uid)
