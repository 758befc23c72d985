"""Whether mailboxes have room, asked at RCPT so that a full one is told before the data comes.

The commit asks again and is what counts; here an answer may be some seconds old while there is room to spare.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from everpost.core.clock import Clock
from everpost.core.ids import AccountId
from everpost.delivery.accept import MailboxFull, NeverFits
from everpost.delivery.routing import Route
from everpost.store.ports import Database, Transaction
from everpost.store.sql import counters

# How long (seconds) an answer is believed while less than this part of the quota is used.
BELIEVED_SECONDS = 10.0
BELIEVED_PART = 0.9
MAX_ACCOUNTS = 50_000


@dataclass(slots=True)
class Room:
    """Remembers which accounts have room to spare."""

    database: Database
    clock: Clock
    _spare: OrderedDict[AccountId, float] = field(default_factory=OrderedDict)
    """Until when (Clock.monotonic) an account is believed to have room."""

    async def check(self, route: Route, size: int) -> None:
        """`size` is what the client announced in bytes, 0 if nothing.

        Nothing is said while one of several mailboxes has room, or mail is also forwarded.
        Raises MailboxFull (452 4.2.2, its owner may make room), NeverFits (552 5.2.2), StoreUnavailable.
        """
        if route.remotes or not route.accounts:
            return
        never = True
        for to in route.accounts:
            quota = to.account.quota_bytes
            if not quota:
                return
            if size <= quota:
                never = False
                if await self._has_room(to.account.account_id, quota, size):
                    return
        if never:
            raise NeverFits("the message is larger than the mailbox")
        raise MailboxFull("the mailbox is full")

    async def _has_room(self, account: AccountId, quota: int, size: int) -> bool:
        if size < quota * (1 - BELIEVED_PART) and self._spare.get(account, 0.0) > self.clock.monotonic():
            return True

        async def work(tx: Transaction) -> counters.Usage | None:
            return await counters.usage(tx, account)

        usage = await self.database.read(work)
        used = usage.bytes if usage else 0
        if used < quota * BELIEVED_PART:
            self._spare[account] = self.clock.monotonic() + BELIEVED_SECONDS
            self._spare.move_to_end(account)
            if len(self._spare) > MAX_ACCOUNTS:
                self._spare.popitem(last=False)
        else:
            self._spare.pop(account, None)
        return used + size <= quota and used < quota
