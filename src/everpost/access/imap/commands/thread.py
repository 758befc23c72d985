"""THREAD and UID THREAD (RFC 5256)."""

from typing import TYPE_CHECKING

from everpost.access.imap import limit
from everpost.access.imap.commands.search import allow
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar import sorting as grammar
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.threads import Thread, by_references, by_subject

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (5256,)

ALGORITHMS = {"ORDEREDSUBJECT": by_subject, "REFERENCES": by_references}


async def run(session: "Session", command: Command) -> Outcome:
    """Find messages and tell them as conversations."""
    selected = session.need_selected()
    request = grammar.threads(Reader.of(command), tuple(selected.saved))
    allow(session, selected, command, request.search)
    view = selected.view
    _, lowest = limit.newest_of(session, view, request.search.criterion)
    if lowest is not None:
        return limit.refusal(session)
    threads = await ALGORITHMS[request.algorithm](view, await view.search(request.search.criterion))
    numbers = None if command.is_uid else {uid: place for place, uid in enumerate(view.uids, 1)}
    words = [b"THREAD"]
    if threads:
        words.append(b"".join(_written(thread, numbers) for thread in threads))
    session.untagged(*words)
    return ok("THREAD completed")


def _written(thread: Thread, numbers: dict[int, int] | None) -> bytes:
    """`(3 6 (4 23)(44 7 96))`, without recursion, because threads can be deep."""
    pieces: list[bytes] = []
    waiting: list[Thread | bytes] = [b")", thread, b"("]
    while waiting:
        each = waiting.pop()
        if isinstance(each, bytes):
            pieces.append(each)
            continue
        if each.uid is not None:
            pieces.append(b"%d" % (each.uid if numbers is None else numbers[each.uid]))
        if len(each.children) == 1 and each.uid is not None:
            waiting.extend((each.children[0], b" "))
        elif each.children:
            for child in reversed(each.children):
                waiting.extend((b")", child, b"("))
            if each.uid is not None:
                waiting.append(b" ")
    return b"".join(pieces)
