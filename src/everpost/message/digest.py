"""Everything that is kept of a message beside its bytes, computed once, at delivery."""

from dataclasses import dataclass

from everpost.message import imapform, signature, summary
from everpost.message.parse import Message, parse
from everpost.message.part import pack


@dataclass(frozen=True, slots=True)
class Digest:
    """What the table `content` holds."""

    size: int
    body_start: int
    """Where the header ends."""
    envelope: bytes
    """IMAP's ENVELOPE."""
    bodystructure: bytes
    """IMAP's BODYSTRUCTURE."""
    structure: bytes
    """The packed `Part`."""
    summary: bytes
    """The packed `Summary`."""
    signature: bytes | None
    """See `message.signature`; None for a message that nobody will search."""


def digest(raw: bytes, message: Message | None = None, *, searchable: bool = True) -> Digest:
    """Compute it; hand in the parsed message if there is one already. Never raises."""
    if message is None:
        message = parse(raw)
    root = message.root
    return Digest(
        size=len(raw),
        body_start=root.body_start,
        envelope=imapform.envelope(message.envelope),
        bodystructure=imapform.bodystructure(root),
        structure=pack(root),
        summary=summary.pack(summary.summarise(message)),
        signature=signature.sign(raw, root) if searchable else None,
    )
