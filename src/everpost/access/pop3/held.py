"""A maildrop that is open: locked for one session, kept locked, let go."""

from dataclasses import dataclass

from everpost.access.pop3.door import Lease, Pop3Door
from everpost.access.pop3.maildrop import Maildrop, NoMessage
from everpost.accounts.directory import Account
from everpost.core.errors import Refused, TryLater
from everpost.core.log import logger
from everpost.mailbox.view import View

log = logger("access")

INBOX = "INBOX"


class InUse(Refused):
    """Another session has the maildrop (RFC 1939 section 4)."""


class LockLost(TryLater):
    """Another session got the maildrop, because this one was away for too long."""


@dataclass(slots=True)
class Held:
    """The lock, the view and the numbers of one session."""

    door: Pop3Door
    lease: Lease
    view: View
    drop: Maildrop
    renew_at: float
    """When (Clock.monotonic) the lock is to be renewed."""

    @classmethod
    async def open(cls, door: Pop3Door, account: Account) -> "Held":
        """Lock an account's inbox and look at it. Raises InUse, StoreUnavailable."""
        seconds = door.limits.lease
        lease = await door.locks.acquire(f"pop3:{account.account_id}", seconds)
        if lease is None:
            raise InUse("the maildrop is in use by another session")
        try:
            renew_at = door.clock.monotonic() + seconds / 3
            mail = await door.mailboxes.open(account.account_id, account.quota_bytes)
            view = await mail.select(INBOX, read_only=False)
            messages = [(row.uid, row.size) for row in view.rows(view.uids)]
        except BaseException:
            await _release(lease)
            raise
        return cls(door, lease, view, Maildrop(view.folder.uid_validity, messages), renew_at)

    async def keep(self, *, now: bool = False) -> None:
        """Renew the lock if it is time, or at once. Raises LockLost, StoreUnavailable."""
        at = self.door.clock.monotonic()
        if not now and at < self.renew_at:
            return
        if not await self.lease.renew(self.door.limits.lease):
            raise LockLost("another session has the maildrop now")
        self.renew_at = at + self.door.limits.lease / 3

    async def read(self, number: int, *, header_only: bool = False) -> tuple[int, bytes]:
        """A message's size and bytes. Raises NoMessage, also for one that another program has removed."""
        uid, size = self.drop.message(number)
        if header_only:
            raw = (await self.view.headers([uid])).get(uid)
        else:
            raw = await self.view.raw(uid)
        if raw is None:
            raise NoMessage("the message is not there any more")
        return size, raw

    async def update(self) -> int:
        """Remove what is marked as deleted; how many messages that were. Raises LockLost, StoreUnavailable."""
        uids = self.drop.deleted
        if not uids:
            return 0
        await self.keep(now=True)
        return len(await self.view.remove(uids))

    async def close(self) -> None:
        """Let go."""
        self.view.close()
        await _release(self.lease)


async def _release(lease: Lease) -> None:
    try:
        await lease.release()
    except TryLater as error:
        # It ends by itself.
        log.warning("maildrop.unreleased", error=error.text)
