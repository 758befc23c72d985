"""What the node has promised so far, and what breaks a promise."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace


class PromiseBroken(AssertionError):
    """Something acknowledged is gone, there twice or went back."""


def content(ident: str) -> bytes:
    """The one message with this id: its size and bytes follow from the id."""
    digest = hashlib.sha256(ident.encode()).hexdigest()
    # Mostly small, now and then beyond what lies in the database's own rows.
    repeats = 1500 if digest.startswith("0") else 1 + int(digest[:2], 16) % 60
    lines = "\r\n".join(f"{digest} {number}" for number in range(repeats))
    return (
        f"From: sender@chaos.test\r\nTo: reader@example.test\r\nSubject: {ident}\r\n"
        f"Message-ID: <{ident}@chaos.test>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\r\n{lines}\r\n"
    ).encode()


@dataclass(frozen=True, slots=True)
class Floor:
    """What an account's sessions had been told before a command was sent: its answer must not fall behind."""

    uid_validity: int = 0
    uid_next: int = 1
    modseq: int = 0
    listed_below: int = 1
    """A whole listing has been seen of the UIDs below this one."""
    listed: frozenset[int] = frozenset()
    """Those UIDs."""


@dataclass(slots=True)
class Account:
    """One INBOX as all sessions together have seen it; nothing is ever removed from it."""

    floor: Floor = Floor()
    idents: dict[int, str] = field(default_factory=dict)
    """UID to message id, for every UID ever seen."""
    modseqs: dict[int, int] = field(default_factory=dict)
    """UID to the highest MODSEQ seen of it."""

    def selected(self, uid_validity: int, uid_next: int, modseq: int, floor: Floor) -> None:
        """An answer to SELECT that was sent when the floor stood there."""
        if floor.uid_validity not in {0, uid_validity}:
            raise PromiseBroken(f"UIDVALIDITY went from {floor.uid_validity} to {uid_validity}")
        if uid_next < floor.uid_next:
            raise PromiseBroken(f"UIDNEXT went from {floor.uid_next} to {uid_next}")
        if modseq < floor.modseq:
            raise PromiseBroken(f"HIGHESTMODSEQ went from {floor.modseq} to {modseq}")
        self.floor = replace(
            self.floor,
            uid_validity=uid_validity,
            uid_next=max(self.floor.uid_next, uid_next),
            modseq=max(self.floor.modseq, modseq),
        )

    def listed(self, uids: list[int], uid_next: int, floor: Floor) -> None:
        """All UIDs in the order of sequence numbers, after a SELECT that told `uid_next`."""
        if uids != sorted(set(uids)):
            raise PromiseBroken(f"UIDs do not grow with sequence numbers: {uids}")
        settled = {uid for uid in uids if uid < floor.listed_below}
        if settled != floor.listed:
            raise PromiseBroken(
                f"below UID {floor.listed_below}, gone: {sorted(floor.listed - settled)}, "
                f"come late: {sorted(settled - floor.listed)}"
            )
        if uid_next > self.floor.listed_below:
            # Those from `uid_next` on came after that answer, and there may be more of them by now.
            listed = frozenset(uid for uid in uids if uid < uid_next)
            self.floor = replace(self.floor, listed_below=uid_next, listed=listed)

    def identified(self, uid: int, ident: str) -> None:
        """Which message a UID is; for ever."""
        if self.idents.setdefault(uid, ident) != ident:
            raise PromiseBroken(f"UID {uid} was {self.idents[uid]} and is {ident}")

    def changed(self, uid: int, modseq: int, floor: int) -> None:
        """A message's MODSEQ; `floor` is the one known when the command was sent."""
        if modseq < floor:
            raise PromiseBroken(f"MODSEQ of UID {uid} was {floor} and is {modseq}")
        self.modseqs[uid] = max(self.modseqs.get(uid, 0), modseq)


@dataclass(slots=True)
class Ledger:
    """Everything that was acknowledged, by account."""

    accounts: dict[str, Account]
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Message id to account: answered 250."""
    unanswered: dict[str, str] = field(default_factory=dict)
    """Sent to its end, but no answer came: may be there once, or not."""
    stored: dict[tuple[str, int, str], bool | None] = field(default_factory=dict)
    """(account, UID, keyword): set or not, as answered OK; None if no answer came."""
    counts: Counter[str] = field(default_factory=Counter)
    """How often what happened, to be sure that the test has tested something."""

    def check_flag(self, account: str, uid: int, keyword: str, found: bool) -> None:
        """A flag as a later answer shows it; only the session that owns the keyword changes it.

        After a change without an answer nothing is known, not even by looking: the database may still be
        committing what a killed worker had asked for.
        """
        told = self.stored.get((account, uid, keyword))
        if told is not None and told != found:
            raise PromiseBroken(f"{keyword} of UID {uid} in {account} was acknowledged as {told} and is {found}")

    def check_all(self, account: str, found: dict[int, tuple[str, bytes]]) -> None:
        """The whole INBOX at the end: UID to message id and content (from its `From:` on)."""
        there = Counter(ident for ident, _ in found.values())
        twice = [ident for ident, times in there.items() if times > 1]
        if twice:
            raise PromiseBroken(f"there more than once in {account}: {twice}")
        lost = [ident for ident, owner in self.acknowledged.items() if owner == account and ident not in there]
        if lost:
            raise PromiseBroken(f"acknowledged and lost in {account}: {lost}")
        sent = {**self.acknowledged, **self.unanswered}
        strange = [ident for ident in there if sent.get(ident) != account]
        if strange:
            raise PromiseBroken(f"never sent to {account}: {strange}")
        broken = [ident for ident, raw in found.values() if not raw.endswith(content(ident))]
        if broken:
            raise PromiseBroken(f"other bytes than were sent, in {account}: {broken}")
        gone = [uid for uid in self.accounts[account].idents if uid not in found]
        if gone:
            raise PromiseBroken(f"UIDs seen before and gone now in {account}: {gone}")
