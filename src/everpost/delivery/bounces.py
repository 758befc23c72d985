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
from everpost.delivery.notify import Notice
from everpost.delivery.parcel import Parcel
from everpost.delivery.plan import Plan
from everpost.delivery.queue.retry import DEFAULT_SCHEDULE, Schedule
from everpost.delivery.routing import Router
from everpost.mailbox.content import Contents
from everpost.message.digest import digest

RFCS = (3461, 3464, 3834, 6533)

log = logger("delivery")

NOTICES = counter("delivery", "notices_total", "Notices written to senders", ("kind",))

# A message larger than this is returned as its header even where RET=FULL was asked for (bytes).
MAX_RETURNED = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class About:
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
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one recipient."""

    recipient: str
    orcpt: str
    """ORCPT (RFC 3461 section 4.2) as `type;address`, or nothing."""
    status: str
    """Enhanced status code (RFC 3463)."""
    text: str
    """The remote host's reply, or our own words."""
    host: str = ""
    """The remote host that spoke."""
    from_peer: bool = False
    """`text` is that host's reply."""


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
    schedule: Schedule = DEFAULT_SCHEDULE

    async def notice(
        self, kind: Notice, about: About, reports: Sequence[Report], retry_until: float | None = None
    ) -> Parcel | None:
        """The notice ready to be written in the transaction that decides what it tells; None if nobody can be told.

        A sender hosted here finds it in the mailbox, quota or not; others get it through the queue.
        Raises StoreUnavailable.
        """
        if not about.reverse_path:
            return None
        try:
            address = Address.parse(about.reverse_path)
            route = await self.router.route(address)
        except BadAddress:
            log.warning("notice.dropped", kind=kind.value, reason="malformed sender")
            return None
        # RFC 3461 section 6.1: a notice asks for no notices.
        plan = Plan.of(
            Sender(None, smtputf8=about.smtputf8),
            [Recipient(address, route, notify="NEVER")],
            (),
            self.clock.now(),
            self.schedule,
        )
        local = tuple(replace(copy, quota=0) for copy, _ in plan.local.values())
        remote = tuple(plan.remote.values())
        if not local and not remote:
            log.info("notice.dropped", kind=kind.value, reason="no such sender")
            return None
        raw = self._compose(kind, about, reports, address, retry_until)
        if local:
            raw = b"Return-Path: <>\r\n" + raw
        public_id = trace_id(self.clock.now(), self.chance)
        content = await self.contents.pack(raw, digest(raw), public_id)
        NOTICES.labels(kind.value).inc()
        log.info("notice.written", id=public_id, kind=kind.value, reports=len(reports))
        return Parcel(content, local, remote)
