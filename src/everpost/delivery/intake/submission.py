"""What the submission doors allow: account holders may send as themselves, to anyone (RFC 6409)."""

import random
from dataclasses import dataclass

from everpost.accounts.directory import Account, Directory
from everpost.core.address import Address, BadAddress
from everpost.core.clock import Clock
from everpost.core.errors import Refused, TryLater
from everpost.core.ids import AccountId, trace_id
from everpost.delivery import header as fields
from everpost.delivery import notify
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.intake.checks.candidate import Candidate
from everpost.delivery.intake.mx import examine, refuse_unless_here
from everpost.delivery.intake.rate import Limiter
from everpost.delivery.intake.room import Room
from everpost.delivery.intake.trace import Dates
from everpost.delivery.plan import Refusal
from everpost.delivery.routing import Router
from everpost.message.addresses import Group, Mailbox, parse_list
from everpost.smtp.wire import events

RFCS = (5322, 6409)

# Fields with addresses of people nobody else should see (RFC 5322 section 3.6.3).
_BLIND = ("Bcc", "Resent-Bcc")
MAX_AUTHORS = 20


@dataclass(frozen=True, slots=True)
class SubmissionPolicy:
    """Implements `door.Policy`."""

    directory: Directory
    router: Router
    room: Room
    limiter: Limiter
    dates: Dates
    hostname: str
    clock: Clock
    chance: random.Random

    async def sender(self, mail: events.Mail, account: Account | None) -> Sender:
        """Only those who logged in, as an address of theirs; the null reverse-path is for read receipts
        (RFC 8098 section 3). Raises Refused.
        """
        if account is None:
            raise Refused("log in first", status="5.7.0")
        if mail.address is not None and not await self.directory.may_send_as(account.account_id, mail.address):
            raise Refused("this sender address is not one of yours", status="5.7.1")
        return Sender(mail.address, mail.smtputf8, mail.ret, mail.envid, account.account_id, account.tenant_id)

    async def recipient(self, sender: Sender, to: events.Recipient, others: int, size: int) -> Recipient:
        """Anyone, at the account's rate. Raises Refused, TryLater."""
        route = await self.router.route(to.address)
        refuse_unless_here(route)
        await self.room.check(route, size)
        assert sender.account is not None
        wait = await self.limiter.take(sender.account, 0 if others else 1, 1)
        if wait > 0:
            raise TryLater(f"you send too much; go on in {max(1, round(wait / 60))} minutes", status="4.7.1")
        return Recipient(to.address, route, notify.joined(to.notify), to.orcpt)

    async def content(
        self, sender: Sender, recipients: tuple[Recipient, ...], raw: bytes
    ) -> tuple[bytes, list[Refusal]]:
        """The message with what RFC 6409 section 8 adds and blind copies removed. Raises Refused."""
        end = fields.header_end(raw)
        header = raw[:end]
        assert sender.account is not None
        await self._check_authors(sender.account, header)
        refusals = examine(Candidate.of(sender, recipients, header))
        return self._completed(header) + raw[end:], refusals

    async def _check_authors(self, account: AccountId, header: bytes) -> None:
        """Every address in From, and in Sender if there is one, is the account's."""
        found = fields.values(header, "From")
        if len(found) != 1:
            # RFC 5322 section 3.6: exactly one. Several are a way to show another author than the one checked.
            raise Refused("the message needs exactly one From field", status="5.6.0")
        authors = _mailboxes(found[0])
        if not authors or len(authors) > MAX_AUTHORS:
            raise Refused("the From field names no author", status="5.6.0")
        for value in fields.values(header, "Sender")[:1]:
            authors += _mailboxes(value)
        for author in authors:
            if not await self._owns(account, author):
                raise Refused("the From or Sender address is not one of yours", status="5.7.1")

    async def _owns(self, account: AccountId, author: Mailbox) -> bool:
        try:
            address = Address.parse(str(Address(author.local, author.domain or "")))
        except (BadAddress, UnicodeError):
            return False
        return await self.directory.may_send_as(account, address)

    def _completed(self, header: bytes) -> bytes:
        lower = header.lower()
        if b"bcc" in lower:
            header = fields.without(header, *_BLIND)
        added = b""
        if not fields.has(header, "Date"):
            added += f"Date: {self.dates.now()}\r\n".encode()
        if not fields.has(header, "Message-ID"):
            added += f"Message-ID: <{trace_id(self.clock.now(), self.chance).lower()}@{self.hostname}>\r\n".encode()
        return added + header


def _mailboxes(value: bytes) -> list[Mailbox]:
    """All mailboxes of an address list, those in groups too."""
    found: list[Mailbox] = []
    for entry in parse_list(value):
        if isinstance(entry, Group):
            found.extend(entry.members)
        else:
            found.append(entry)
    return found
