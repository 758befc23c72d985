"""STORE and UID STORE (RFC 9051 sections 6.4.6 and 6.4.9, RFC 7162 section 3.1.3)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from everpost.access.imap import limit, sync
from everpost.access.imap.outcome import READ_ONLY, Outcome, no, ok
from everpost.access.imap.selected import Chosen, Selected
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.store import Store, store
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.values import Record, Stored

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (2180, 3501, 7162, 9051)


async def run(session: "Session", command: Command) -> Outcome:
    """Change flags."""
    request = store(Reader.of(command))
    selected = session.need_selected()
    if selected.view.read_only:
        return READ_ONLY
    chosen, lowest = limit.newest(session, selected.choose(request.messages, uid=command.is_uid))
    if request.unchanged_since is not None:
        session.enable_condstore()
    # What others changed is told first, so that what the client knows now can be compared with what comes of it.
    told = await sync.tell(session, expunges=False)
    if session.finished:
        return no("The mailbox is gone", b"NONEXISTENT")
    if not chosen.uids:
        return ok("STORE completed")
    expected = _expected(selected, chosen, request, told) if request.silent else {}
    stored = await selected.view.store(chosen.uids, request.op, request.flags, request.unchanged_since)
    _tell(session, selected, request, stored, expected, uid=command.is_uid)
    return limit.said(session, _outcome(selected, chosen, stored, uid=command.is_uid), lowest)


def _expected(selected: Selected, chosen: Chosen, request: Store, told: frozenset[int]) -> dict[int, frozenset[str]]:
    """The flags that the client will believe in if it is told nothing.

    Messages that this very answer has told of are left out: a client that took its own change for done when
    it sent the command would now believe in the flags from before it.
    """
    silent = [uid for uid in chosen.uids if uid not in told]
    match request.op:
        case "set":
            return dict.fromkeys(silent, request.flags)
        case "add":
            return {uid: selected.view.record(uid).flags | request.flags for uid in silent}
        case _:
            return {uid: selected.view.record(uid).flags - request.flags for uid in silent}


def _tell(
    session: "Session",
    selected: Selected,
    request: Store,
    stored: Stored,
    expected: dict[int, frozenset[str]],
    *,
    uid: bool,
) -> None:
    told: list[tuple[Record, bool]] = []
    for record in stored.changed:
        as_expected = request.silent and record.flags == expected.get(record.uid)
        # RFC 9051 section 6.4.6: also a silent STORE tells what came from elsewhere.
        # RFC 7162 section 3.1.3: and with CONDSTORE the new MODSEQ.
        if not as_expected or session.condstore:
            told.append((record, as_expected))
    if selected.new_flags(name for record, _ in told for name in record.flags):
        session.machine.send(selected.flags_line())
    for record, as_expected in told:
        sequence = selected.view.sequence(record.uid)
        if sequence is not None:
            session.machine.send(sync.flags_line(session, sequence, record, uid=uid, only_modseq=as_expected))


def _outcome(selected: Selected, chosen: Chosen, stored: Stored, *, uid: bool) -> Outcome:
    gone = len(chosen.uids) - len(stored.changed) - len(stored.modified)
    if stored.modified:
        # RFC 7162 section 3.1.3
        numbers = stored.modified if uid else _sequences(selected, stored.modified)
        code = b"MODIFIED " + response.numbers(numbers)
        return no("Some messages are gone", code) if gone else ok("Some messages were changed by others", code)
    if gone and not uid:
        # RFC 2180 section 4.2.1
        return no("Some messages are gone", b"EXPUNGEISSUED")
    return ok("STORE completed")


def _sequences(selected: Selected, uids: Sequence[int]) -> list[int]:
    return [number for uid in uids if (number := selected.view.sequence(uid)) is not None]
