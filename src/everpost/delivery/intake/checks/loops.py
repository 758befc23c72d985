"""Mail that goes in circles (RFC 5321 section 6.3)."""

from collections.abc import Sequence

from everpost.core.address import Address, BadAddress
from everpost.core.errors import Refused
from everpost.delivery import header as fields
from everpost.delivery.envelope import Recipient
from everpost.delivery.intake.checks.candidate import Candidate
from everpost.delivery.marks import FORWARDED
from everpost.delivery.plan import Refusal

RFCS = (5321,)

# RFC 5321 section 6.3: "normally at least 100"; long mailing list chains have about 30.
MAX_RECEIVED = 100

_FORWARDED = b"\ndelivered-to:"


def too_many_hops(candidate: Candidate) -> Sequence[Refusal]:
    """Raises Refused for a message with too many Received fields."""
    if candidate.folded.count(b"\nreceived:") >= MAX_RECEIVED:
        raise Refused("too many hops: this message goes in circles", status="5.4.6")
    return ()


def delivered_before(candidate: Candidate) -> Sequence[Refusal]:
    """Recipients behind which this very message was forwarded before. Raises Refused if that is all of them."""
    if _FORWARDED not in candidate.folded:
        return ()
    seen = {_key(value) for value in fields.values(candidate.header, FORWARDED)}
    refusals = [
        Refusal(recipient, "5.4.6", "the message was forwarded from this address before: it goes in circles")
        for recipient in candidate.recipients
        if any(key in seen for key in _forwarders(recipient))
    ]
    if refusals and len(refusals) == len(candidate.recipients):
        raise Refused(refusals[0].text, status="5.4.6")
    return refusals


def _forwarders(recipient: Recipient) -> set[str]:
    """The keys of the addresses that would mark a message forwarded for this recipient."""
    remotes = recipient.route.remotes
    return {recipient.address.key, *(remote.forwarded_by.key for remote in remotes)} if remotes else set()


def _key(value: bytes) -> str:
    try:
        return Address.parse(value.decode("utf-8", "replace")).key
    except BadAddress:
        return ""
