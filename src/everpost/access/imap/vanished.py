"""VANISHED (EARLIER): what is gone since a client last looked (RFC 7162 section 3.2.10.1)."""

from typing import TYPE_CHECKING

from everpost.access.imap.selected import Selected
from everpost.access.imap.wire import response
from everpost.mailbox.criteria import Ranges

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (7162,)

# So many ranges in one response.
RANGES_AT_ONCE = 500


async def tell_vanished(
    session: "Session", selected: Selected, since: int, known: Ranges | None, *, above: int = 0
) -> None:
    """VANISHED (EARLIER): UIDs of `known` over `above` that were removed after modseq `since`."""
    ranges = [(max(low, above + 1), high) for low, high in await selected.view.vanished(since, known) if high > above]
    for start in range(0, len(ranges), RANGES_AT_ONCE):
        session.untagged(b"VANISHED", b"(EARLIER)", response.spans(ranges[start : start + RANGES_AT_ONCE]))
        await session.flush(full=True)
