"""How many messages one command may work on (RFC 9738), where the operator set a limit.

A command on more messages works on those with the highest UIDs and says where it stopped; one that has to do all or
nothing is refused.
"""

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, no
from everpost.access.imap.selected import Chosen
from everpost.mailbox import criteria
from everpost.mailbox.criteria import Criterion
from everpost.mailbox.view import View

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (9738,)


def newest(session: "Session", chosen: Chosen) -> tuple[Chosen, int | None]:
    """The messages to work on, and the lowest UID among them if others were left out."""
    most = session.settings.message_limit
    if not most or len(chosen.uids) <= most:
        return chosen, None
    return Chosen(chosen.sequences[-most:], chosen.uids[-most:]), chosen.uids[-most]


def newest_of(session: "Session", view: View, criterion: Criterion) -> tuple[Criterion, int | None]:
    """The same for a search: what is looked through counts, not what is found."""
    most = session.settings.message_limit
    if not most or len(view.uids) <= most:
        return criterion, None
    looked = _candidates(view, criterion)
    if len(looked) <= most:
        return criterion, None
    return criteria.And((criteria.Uids(((looked[-most], looked[-1]),)), criterion)), looked[-most]


def _candidates(view: View, criterion: Criterion) -> list[int]:
    """UIDs that are left when the sets at the top of the criterion are taken into account."""
    found = view.uids
    for part in criterion.parts if isinstance(criterion, criteria.And) else (criterion,):
        match part:
            case criteria.Uids(ranges):
                spans = criteria.spans(ranges, view.uids[-1] if view.uids else 0)
            case criteria.Sequence(ranges):
                known = view.uids
                places = criteria.spans(ranges, len(known))
                spans = [
                    (known[low - 1], known[min(high, len(known)) - 1]) for low, high in places if low <= len(known)
                ]
            case criteria.Or(()):
                spans = []
            case _:
                continue
        found = [uid for low, high in spans for uid in found[bisect_left(found, low) : bisect_right(found, high)]]
    return found


def said(session: "Session", outcome: Outcome, lowest: int | None) -> Outcome:
    """The outcome with the word that it stopped at `lowest`, if it did."""
    if lowest is None or outcome.kind == b"BAD":
        return outcome
    code = b"MESSAGELIMIT %d %d" % (session.settings.message_limit, lowest)
    if outcome.code is None:
        return replace(outcome, code=code)
    # There is room for one code only.
    session.untagged_status(b"NO", "Not all messages were worked on", code)
    return outcome


def refused(session: "Session", count: int) -> Outcome | None:
    """A refusal for a command that does all or nothing; None if it may be done."""
    most = session.settings.message_limit
    return refusal(session) if most and count > most else None


def refusal(session: "Session") -> Outcome:
    """What is said of too many messages."""
    code = b"MESSAGELIMIT %d" % session.settings.message_limit
    return no("These are more messages than one command may work on", code)
