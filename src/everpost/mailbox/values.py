"""What a mailbox answers with."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder and its totals at one moment."""

    folder_id: int
    name: str
    """Unicode, parts separated by "/"; the inbox is INBOX."""
    role: str | None
    """A special use (RFC 6154) such as "\\Sent"."""
    subscribed: bool
    uid_validity: int
    uid_next: int
    recent_uid: int
    """Messages from this UID on have been shown to no session."""
    highest_modseq: int
    messages: int
    unseen: int
    deleted: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account holds; `quota` in bytes, 0 for none."""

    bytes: int
    messages: int
    quota: int


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an appended message went."""

    uid_validity: int
    uid: int


@dataclass(frozen=True, slots=True)
class AppendedMany:
    """Where messages appended together went, in their order."""

    uid_validity: int
    uids: list[int]


@dataclass(frozen=True, slots=True)
class Record:
    """A message in a folder."""

    uid: int
    flags: frozenset[str]
    modseq: int
    size: int
    internal_ms: int
    """Unix milliseconds."""
    recent: bool
    content_id: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What a session's client has not been told; to be said in this order."""

    expunged: list[int] = field(default_factory=list)
    """Sequence numbers, each right after those before it were said."""
    vanished: list[int] = field(default_factory=list)
    """The same messages as UIDs, ascending."""
    exists: int | None = None
    """The new number of messages, if some arrived."""
    recent: int = 0
    """How many of the new ones are \\Recent."""
    flags: list[tuple[int, Record]] = field(default_factory=list)
    """Sequence number and message."""
    gone: bool = False
    """The folder was deleted."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome of a change of flags."""

    changed: list[Record]
    modified: list[int]
    """UIDs refused because they changed after `unchanged_since`."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The outcome of a copy or move: source and target UIDs pair up."""

    uid_validity: int
    source: list[int]
    target: list[int]
