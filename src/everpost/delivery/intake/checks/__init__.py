"""What is looked at before a message is taken in.

Each check is one module here and one line in a table below. Recipient checks run at RCPT, before the route
is known; content checks run when the message is whole. SPF, DKIM, DMARC and the spam score come here in
their own issues.
"""

from collections.abc import Callable, Sequence

from everpost.delivery.envelope import Sender
from everpost.delivery.intake.checks import header_size, loops, null_sender
from everpost.delivery.intake.checks.candidate import Candidate
from everpost.delivery.plan import Refusal

RECIPIENT_CHECKS: tuple[Callable[[Sender, int], None], ...] = (null_sender.one_recipient,)
"""Each gets the sender and how many recipients there are already; raises what to answer."""

CONTENT_CHECKS: tuple[Callable[[Candidate], Sequence[Refusal]], ...] = (
    header_size.too_large,
    loops.too_many_hops,
    loops.delivered_before,
)
"""Each raises what to answer, or names recipients that cannot be served."""
