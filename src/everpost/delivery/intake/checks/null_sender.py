"""Notices (null reverse-path) have one recipient each: who they are for is who sent what they are about."""

from everpost.core.errors import TryLater
from everpost.delivery.envelope import Sender


def one_recipient(sender: Sender, recipients: int) -> None:
    """Put off a second recipient, so that an honest host sends it in a transaction of its own. Raises TryLater.

    That keeps one full mailbox from holding up notices for others, which nobody could be told about.
    """
    if sender.address is None and recipients and sender.account is None:
        raise TryLater("one recipient at a time for notices", status="4.5.3")
