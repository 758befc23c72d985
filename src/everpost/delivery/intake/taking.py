"""One message being taken in: its bytes, then its trace fields and its keeping."""

from dataclasses import dataclass, field

from everpost.accounts.directory import Account
from everpost.core.ids import trace_id
from everpost.core.log import logger
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.intake import trace
from everpost.delivery.intake.door import Door
from everpost.delivery.marks import return_path
from everpost.net.connection import Connection
from everpost.smtp.wire import events

log = logger("delivery")


@dataclass(slots=True)
class Taking:
    """From DataStart to the answer."""

    door: Door
    overflowed: bool = False
    """There was no memory for it: the rest of the bytes is thrown away."""
    _pieces: list[bytes] = field(default_factory=list)
    _held: int = 0
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = self.door.clock.monotonic() + self.door.limits.content

    def add(self, data: bytes) -> bool:
        """Take a piece; False if this has lasted too long."""
        if not self.overflowed:
            if self.door.memory.take(len(data)):
                self._held += len(data)
                self._pieces.append(data)
            else:
                self.release()
                self.overflowed = True
        return self.door.clock.monotonic() <= self._until

    def release(self) -> None:
        """Let go of the bytes."""
        self.door.memory.give(self._held)
        self._held = 0
        self._pieces.clear()

    async def keep(
        self,
        sender: Sender,
        recipients: tuple[Recipient, ...],
        connection: Connection,
        hello: events.Hello,
        account: Account | None,
    ) -> str:
        """Check the message, give it trace fields and hand it over; say how once it is durable: `kept as <id>`.

        Raises Refused, TryLater.
        """
        door = self.door
        raw = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        raw, refusals = await door.policy.content(sender, recipients, raw)
        served = recipients
        if refusals:
            refused = {id(refusal.recipient) for refusal in refusals}
            served = tuple(recipient for recipient in recipients if id(recipient) not in refused)
        public_id = trace_id(door.clock.now(), door.chance)
        hop = trace.Hop(
            door.config.hostname, hello.name, connection.peer.host, connection.tls, hello.extended, account is not None
        )
        whom = str(recipients[0].address) if len(recipients) == 1 else None
        head = trace.received(hop.opening(sender.smtputf8), public_id, whom, door.dates.now())
        if any(recipient.route.accounts for recipient in served):
            head = return_path(sender.path) + head
        accepted = await door.acceptor.accept(sender, served, head + raw, public_id, refusals)
        facts: dict[str, object] = {}
        if door.addresses_in_log:
            facts = {"sender": sender.path, "recipients": [str(recipient.address) for recipient in recipients]}
        log.info(
            "message.accepted",
            id=public_id,
            door=door.name,
            peer=connection.peer.host,
            helo=hello.name,
            tls=connection.tls.version if connection.tls else None,
            account=sender.account,
            size=len(raw),
            local=accepted.local,
            remote=accepted.remote,
            refused=accepted.refused,
            **facts,
        )
        return f"kept as {public_id}" if accepted.local else f"queued as {public_id}"
