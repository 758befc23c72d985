"""Notices to senders (DSN, RFC 3461 and 3464): who is told, and how the notice gets there."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from everpost.core.address import Address, BadAddress
from everpost.core.clock import Clock
from everpost.core.ids import trace_id
from everpost.core.log import logger
from everpost.core.metrics import counter
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.lifetime import FIVE_DAYS, Lifetime
from everpost.delivery.marks import return_path, without_return_path
from everpost.delivery.parcel import Parcel
from everpost.delivery.plan import Plan
from everpost.delivery.routing import Router
from everpost.mailbox.content import Contents
from everpost.message import dsn
from everpost.message.digest import digest
from everpost.message.dsn import About, Action

RFCS = (3461, 3464, 3834, 6533)

log = logger("delivery")

NOTICES = counter("delivery", "notices_total", "Notices written to senders", ("action",))

# A message larger than this is returned as its header even where RET=FULL was asked for (bytes).
MAX_RETURNED = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Original:
    """The message a notice is about."""

    reverse_path: str
    """Who is told; empty for the null reverse-path: nobody."""
    raw: bytes
    """The message as kept; empty if it cannot be read."""
    arrived_at: float
    """Unix seconds."""
    ret: str = ""
    """RET (RFC 3461 section 4.3): `FULL`, `HDRS` or nothing."""
    envid: str = ""


@dataclass(frozen=True, slots=True)
class Bounces:
    """Writes notices. A notice has a null reverse-path, and a null reverse-path gets no notice, so they never
    answer each other (RFC 5321 section 4.5.5).
    """

    router: Router
    contents: Contents
    clock: Clock
    chance: random.Random
    hostname: str
    schedule: Lifetime = FIVE_DAYS

    async def notice(
        self, action: Action, original: Original, about: Sequence[About], retry_until: float | None = None
    ) -> Parcel | None:
        """The notice ready to be written in the transaction that decides what it tells; None if nobody can be told.

        A sender hosted here finds it in the mailbox, quota or not; others get it through the queue.
        Raises StoreUnavailable.
        """
        if not original.reverse_path:
            return None
        try:
            address = Address.parse(original.reverse_path)
            route = await self.router.route(address)
        except BadAddress:
            log.warning("notice.dropped", action=action.value, reason="malformed sender")
            return None
        # RFC 3461 section 6.1: a notice asks for no notices.
        plan = Plan.of(
            Sender(None), [Recipient(address, route, notify="NEVER")], (), self.clock.now(), self.schedule.lifetime
        )
        local = tuple(replace(copy, quota=0) for copy, _ in plan.local.values())
        remote = tuple(plan.remote.values())
        if not local and not remote:
            log.info("notice.dropped", action=action.value, reason="no such sender")
            return None
        public_id = trace_id(self.clock.now(), self.chance)
        raw = self._compose(action, original, about, address, retry_until, public_id)
        if local:
            raw = return_path("") + raw
        content = await self.contents.pack(raw, digest(raw), public_id)
        NOTICES.labels(action.value).inc()
        log.info("notice.written", id=public_id, action=action.value, recipients=len(about))
        return Parcel(content, local, remote)

    def _compose(
        self,
        action: Action,
        original: Original,
        about: Sequence[About],
        sender: Address,
        retry_until: float | None,
        public_id: str,
    ) -> bytes:
        report = dsn.Report(
            action=action,
            sender=str(Address(sender.local, sender.ascii_domain) if sender.is_ascii else sender),
            recipients=tuple(about),
            reporting_host=self.hostname,
            arrived_at=original.arrived_at,
            written_at=self.clock.now(),
            envid=original.envid,
            retry_until=retry_until,
        )
        # RFC 3461 section 4.3: RET speaks of failures only; other notices carry the header.
        full = action is Action.FAILED and original.ret == "FULL" and len(original.raw) <= MAX_RETURNED
        name = public_id.lower()
        return dsn.compose(
            report,
            without_return_path(original.raw),
            full=full,
            message_id=f"{name}@{self.hostname}",
            boundary=f"{name}-{self.chance.getrandbits(64):016x}",
        )
