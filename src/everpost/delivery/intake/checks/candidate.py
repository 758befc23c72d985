"""A message that is about to be taken in, as content checks see it."""

from dataclasses import dataclass
from typing import Self

from everpost.delivery.envelope import Recipient, Sender


@dataclass(frozen=True, slots=True)
class Candidate:
    """The envelope, and the header as it arrived."""

    sender: Sender
    recipients: tuple[Recipient, ...]
    header: bytes
    folded: bytes
    """The header in lower case after a line end, so that every field begins with `\\n`: for quick looks."""

    @classmethod
    def of(cls, sender: Sender, recipients: tuple[Recipient, ...], header: bytes) -> Self:
        """Put together what checks need."""
        return cls(sender, recipients, header, b"\n" + header.lower())
