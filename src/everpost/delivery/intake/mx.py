"""What the MX door allows: anyone may send to those who live here, and to nobody else."""

from dataclasses import dataclass

from everpost.accounts.directory import Account
from everpost.core.errors import Refused, TryLater
from everpost.delivery import notify
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.header import header_end
from everpost.delivery.intake.checks import CONTENT_CHECKS, RECIPIENT_CHECKS
from everpost.delivery.intake.checks.candidate import Candidate
from everpost.delivery.intake.room import Room
from everpost.delivery.plan import Refusal
from everpost.delivery.routing import Kind, Route, Router
from everpost.smtp.wire import events

RFCS = (5321,)


def refuse_unless_here(route: Route) -> None:
    """Raises what to answer to a recipient whose address is hosted but leads nowhere."""
    match route.kind:
        case Kind.UNKNOWN:
            raise Refused("no such mailbox here", status="5.1.1")
        case Kind.INACTIVE:
            raise Refused("this mailbox is switched off", status="5.2.1")
        case Kind.ENDLESS:
            # The operator's mistake, not the sender's: it can be put right before the sender's host gives up.
            raise TryLater("the aliases of this address go in circles", status="4.4.6")
        case Kind.HERE | Kind.ELSEWHERE:
            pass


@dataclass(frozen=True, slots=True)
class MxPolicy:
    """Implements `door.Policy`."""

    router: Router
    room: Room

    async def sender(self, mail: events.Mail, account: Account | None) -> Sender:
        """Any sender."""
        return Sender(mail.address, mail.smtputf8, mail.ret, mail.envid)

    async def recipient(self, sender: Sender, to: events.Recipient, others: int, size: int) -> Recipient:
        """Only hosted ones. Raises Refused, TryLater."""
        for check in RECIPIENT_CHECKS:
            check(sender, others)
        route = await self.router.route(to.address)
        if route.kind is Kind.ELSEWHERE:
            raise Refused("this host relays to nobody elsewhere", status="5.7.1")
        refuse_unless_here(route)
        await self.room.check(route, size)
        return Recipient(to.address, route, notify.joined(to.notify), to.orcpt)

    async def content(
        self, sender: Sender, recipients: tuple[Recipient, ...], raw: bytes
    ) -> tuple[bytes, list[Refusal]]:
        """The message as it came, and whom it cannot reach. Raises Refused, TryLater."""
        return raw, examine(Candidate.of(sender, recipients, raw[: header_end(raw)]))


def examine(candidate: Candidate) -> list[Refusal]:
    """Run the content checks. Raises Refused, TryLater."""
    refusals: list[Refusal] = []
    for check in CONTENT_CHECKS:
        refusals.extend(check(candidate))
    return refusals
