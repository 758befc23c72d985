"""What a mailbox refuses; doors tell these apart."""

from everpost.core.errors import Refused, TryLater


class NoFolder(Refused):
    """There is no such folder, or it is not yours: the same answer."""

    default_status = "5.1.1"


class NoMessage(Refused):
    """The message is not there any more."""


class FolderExists(Refused):
    """The name is taken."""


class UseTaken(FolderExists):
    """Another folder has this use."""

    default_status = "5.3.0"


class BadFolderName(Refused):
    """A folder cannot have this name."""


class OverQuota(Refused):
    """The account has no room for this."""

    default_status = "5.2.2"


class TooLarge(Refused):
    """One message is larger than allowed."""

    default_status = "5.3.4"


class TooManyNotes(Refused):
    """The account has as many annotations as it may have."""


class FolderGone(TryLater):
    """The folder was deleted while a session had it open."""
