"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4), with RETURN (RFC 4731) and SAVE (RFC 5182)."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from everpost.access.imap.outcome import ClientFault, Outcome, ok
from everpost.access.imap.selected import Selected
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.search import Search, search
from everpost.access.imap.wire.tokens import Reader
from everpost.core.errors import EverpostError, ProtocolError

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 4731, 5182, 7162, 9051)

ALL = frozenset({"ALL"})
_CHARSET = re.compile(rb"(?:RETURN \([^)]*\) )?CHARSET ", re.IGNORECASE)


async def run(session: "Session", command: Command) -> Outcome:
    """Find messages."""
    selected = session.need_selected()
    reader = Reader.of(command)
    if session.utf8_accept and _CHARSET.match(command.text):
        # RFC 6855 section 3
        raise ClientFault("with UTF8=ACCEPT, SEARCH names no charset")
    try:
        request = search(reader, tuple(selected.saved))
        uids = await selected.view.search(request.criterion)
    except EverpostError as error:
        if not isinstance(error, ProtocolError) and b"SAVE" in command.text[:64].upper():
            # RFC 5182 section 2.1: a search that fails leaves nothing saved.
            selected.saved = []
        raise
    if request.modseq:
        session.enable_condstore()
    returned = request.returned
    if returned is not None and "SAVE" in returned:
        selected.saved = _saved(returned, uids)
        returned -= {"SAVE"}
        if not returned:
            return ok("SEARCH completed, its result is saved")
    numbers = uids if command.is_uid else _sequences(selected, uids)
    if returned is None and not session.rev2:
        _tell_plain(session, selected, request, numbers, uids)
    else:
        _tell_extended(session, selected, request, command, returned or ALL, numbers, uids)
    return ok("SEARCH completed")


def _saved(returned: frozenset[str], uids: list[int]) -> list[int]:
    """RFC 5182 section 2.4: MIN and MAX alone save only what they tell."""
    if not returned & {"MIN", "MAX"} or returned & {"ALL", "COUNT"} or not uids:
        return uids
    saved = []
    if "MIN" in returned:
        saved.append(uids[0])
    if "MAX" in returned and uids[-1] not in saved:
        saved.append(uids[-1])
    return saved


def _sequences(selected: Selected, uids: Sequence[int]) -> list[int]:
    known = selected.view.uids
    if len(uids) == len(known):
        return list(range(1, len(known) + 1))
    return [bisect_left(known, uid) + 1 for uid in uids]


def _highest(selected: Selected, uids: Sequence[int]) -> int:
    return max(row.modseq for row in selected.view.rows(uids))


def _tell_plain(
    session: "Session", selected: Selected, request: Search, numbers: Sequence[int], uids: Sequence[int]
) -> None:
    words = [b"%d" % number for number in numbers]
    if request.modseq and uids:
        words.append(b"(MODSEQ %d)" % _highest(selected, uids))
    session.untagged(b"SEARCH", *words)


def _tell_extended(
    session: "Session",
    selected: Selected,
    request: Search,
    command: Command,
    returned: frozenset[str],
    numbers: Sequence[int],
    uids: Sequence[int],
) -> None:
    words = [b"(TAG %b)" % response.string(command.tag.encode())]
    if command.is_uid:
        words.append(b"UID")
    if numbers:
        if "MIN" in returned:
            words.append(b"MIN %d" % numbers[0])
        if "MAX" in returned:
            words.append(b"MAX %d" % numbers[-1])
        if "ALL" in returned:
            words.append(b"ALL " + response.numbers(numbers))
    if "COUNT" in returned:
        words.append(b"COUNT %d" % len(numbers))
    if request.modseq and uids:
        # RFC 7162 section 3.1.6: of the messages that are told; COUNT and ALL tell of all.
        told = uids if returned & {"ALL", "COUNT"} else _saved(returned, list(uids))
        words.append(b"MODSEQ %d" % _highest(selected, told))
    session.untagged(b"ESEARCH", *words)
