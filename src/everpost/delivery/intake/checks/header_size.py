"""Headers of a size no honest message has: they would cost everybody who ever looks at the message."""

from collections.abc import Sequence

from everpost.core.errors import Refused
from everpost.delivery.intake.checks.candidate import Candidate
from everpost.delivery.plan import Refusal

# Messages to thousands of visible recipients have about 100 KiB; others' limits are 100 to 1000 KiB.
MAX_HEADER = 512 * 1024


def too_large(candidate: Candidate) -> Sequence[Refusal]:
    """Raises Refused for a header of more than MAX_HEADER octets."""
    if len(candidate.header) > MAX_HEADER:
        raise Refused(f"the header is larger than {MAX_HEADER // 1024} KiB", status="5.3.4")
    return ()
