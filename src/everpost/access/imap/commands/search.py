"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4), with RETURN (RFC 4731) and SAVE (RFC 5182).

FUZZY (RFC 6203) finds what exact matching finds: substrings without regard to case. Every message found has the
same relevancy.
"""

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from everpost.access.imap import contexts, limit, results
from everpost.access.imap.contexts import Context
from everpost.access.imap.outcome import ClientFault, Outcome, UidRequired, ok
from everpost.access.imap.selected import Selected
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.search import Search, search
from everpost.access.imap.wire.tokens import Reader
from everpost.core.errors import EverpostError, ProtocolError
from everpost.mailbox.sorting import SortKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everpost.access.imap.session import Session

RFCS = (3501, 4731, 5032, 5182, 5267, 6203, 6855, 7162, 9051, 9394, 9586)

_CHARSET = re.compile(rb"(?:RETURN \([^)]*\) )?CHARSET ", re.IGNORECASE)


async def run(session: "Session", command: Command) -> Outcome:
    """Find messages."""
    selected = session.need_selected()
    if session.utf8_accept and _CHARSET.match(command.text):
        # RFC 6855 section 3
        raise ClientFault("with UTF8=ACCEPT, SEARCH names no charset")
    with forgetting(selected, command):
        request = search(Reader.of(command), tuple(selected.saved))
        allow(session, selected, command, request)
        modseq = selected.view.highest_modseq
        criterion, lowest = limit.newest_of(session, selected.view, request.criterion)
        uids = await selected.view.search(criterion)
    outcome = tell(session, selected, command, request, uids, kind="SEARCH", checked=modseq)
    return limit.said(session, outcome, lowest)


@contextmanager
def forgetting(selected: Selected, command: Command) -> "Iterator[None]":
    """RFC 5182 section 2.1: a search that fails leaves nothing saved."""
    try:
        yield
    except EverpostError as error:
        if not isinstance(error, ProtocolError) and b"SAVE" in command.text[:64].upper():
            selected.saved = []
        raise


def allow(session: "Session", selected: Selected, command: Command, request: Search) -> None:
    """Raises ClientFault for what cannot be asked in this session."""
    need_uids(session, request)
    if request.returned is not None and "UPDATE" in request.returned:
        contexts.check(selected, command.tag)


def need_uids(session: "Session", request: Search) -> None:
    """Raises UidRequired if messages are named by sequence numbers where that cannot be (RFC 9586)."""
    if session.uid_only and request.sequences:
        raise UidRequired("after ENABLE UIDONLY a search can name messages only by UID")


def tell(
    session: "Session",
    selected: Selected,
    command: Command,
    request: Search,
    uids: list[int],
    *,
    kind: str,
    checked: int,
    keys: tuple[SortKey, ...] | None = None,
) -> Outcome:
    """Answer with what was found, in its order; `checked` is the modification sequence before it was looked for."""
    view = selected.view
    if request.modseq:
        session.enable_condstore()
    if results.keep(selected, request, uids):
        return ok(f"{kind} completed, its result is saved")
    if request.returned is None and not (session.rev2 and kind == "SEARCH"):
        results.plain(session, view, kind.encode(), request, uids, uid=command.is_uid)
        return ok(f"{kind} completed")
    belongs = results.correlator(command.tag)
    results.extended(session, view, belongs, request, uids, uid=command.is_uid)
    if request.returned is not None and "UPDATE" in request.returned:
        context = Context(command.tag, belongs, command.is_uid, request.criterion, keys, checked, list(uids))
        contexts.begin(session, selected, context)
    return ok(f"{kind} completed")
