"""SORT and UID SORT (RFC 5256), with RETURN (RFC 5267)."""

from typing import TYPE_CHECKING

from everpost.access.imap import limit
from everpost.access.imap.commands.search import allow, forgetting, tell
from everpost.access.imap.outcome import Outcome
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar import sorting as grammar
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.sorting import SortBy, SortKey, sort

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (5256, 5267, 5957, 6203)


async def run(session: "Session", command: Command) -> Outcome:
    """Find messages and tell them in an order."""
    selected = session.need_selected()
    with forgetting(selected, command):
        request = grammar.sort(Reader.of(command), tuple(selected.saved))
        allow(session, selected, command, request.search)
        # All that is found is as relevant as the rest, so RELEVANCY changes no order.
        keys = tuple(
            SortKey(SortBy(order.name), order.reverse) for order in request.orders if order.name != grammar.RELEVANCY
        )
        _, lowest = limit.newest_of(session, selected.view, request.search.criterion)
        if lowest is not None:
            return limit.refusal(session)
        modseq = selected.view.highest_modseq
        uids = await sort(selected.view, await selected.view.search(request.search.criterion), keys)
    return tell(session, selected, command, request.search, uids, kind="SORT", checked=modseq, keys=keys)
