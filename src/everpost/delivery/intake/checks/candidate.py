"""A message that is about to be taken in, as content checks see it."""

from dataclasses import dataclass

from everpost.delivery.envelope import Recipient, Sender


@dataclass(frozen=True, slots=True)
class Candidate:
    """The envelope, and the header as it arrived."""

    sender: Sender
    recipients: tuple[Recipient, ...]
    header: bytes
