"""Who gets a message: the routes of all its recipients put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from everpost.core.address import Address
from everpost.core.clock import milliseconds
from everpost.core.ids import AccountId, TenantId
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.notify import wanted
from everpost.delivery.routing import Kind
from everpost.mailbox.deliver import LocalCopy
from everpost.message.dsn import Action
from everpost.store.sql.queue import NewEntry


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recipient that is not served although others of the message are, found after RCPT was accepted."""

    recipient: Recipient
    status: str
    text: str


@dataclass(slots=True)
class Plan:
    """Each mailbox and each remote address once, whoever led there."""

    local: dict[AccountId, tuple[LocalCopy, Recipient]]
    remote: dict[str, NewEntry]
    refusals: list[Refusal]
    delivered: list[Recipient]
    """Recipients whose success is to be told, if all goes well."""

    @classmethod
    def of(
        cls,
        sender: Sender,
        recipients: Sequence[Recipient],
        refusals: Sequence[Refusal],
        now: float,
        lifetime: float,
    ) -> Self:
        """`recipients` are those to be served; `now` is in unix seconds, `lifetime` in seconds."""
        plan = cls({}, {}, list(refusals), [])
        for recipient in recipients:
            route = recipient.route
            for to in route.accounts:
                copy = LocalCopy(to.account.account_id, quota=to.account.quota_bytes or 0)
                plan.local.setdefault(copy.account_id, (copy, recipient))
            for forward in route.remotes:
                entry = new_entry(
                    sender,
                    recipient,
                    forward.address,
                    now,
                    lifetime,
                    tenant=forward.tenant,
                    forwarded_by=str(forward.forwarded_by),
                )
                plan.remote.setdefault(forward.address.key, entry)
            if route.kind is Kind.ELSEWHERE:
                entry = new_entry(sender, recipient, recipient.address, now, lifetime, tenant=sender.tenant)
                plan.remote.setdefault(recipient.address.key, entry)
            plan.refusals.extend(Refusal(recipient, dead.status, dead.text) for dead in route.dead)
            if route.accounts and wanted(recipient.notify, Action.DELIVERED):
                plan.delivered.append(recipient)
        return plan


def new_entry(
    sender: Sender,
    recipient: Recipient,
    target: Address,
    now: float,
    lifetime: float,
    *,
    tenant: TenantId | None,
    forwarded_by: str = "",
) -> NewEntry:
    """An entry that sends to `target` at once. `now` is in unix seconds, `lifetime` in seconds.

    A forwarded message keeps the sender's reverse-path and its wishes for notices (RFC 3461 section 5.2.7);
    rewriting the reverse-path for SPF's sake belongs to the issue about mail authentication.
    """
    created_at = milliseconds(now)
    return NewEntry(
        tenant_id=tenant,
        account_id=sender.account,
        destination=target.ascii_domain,
        reverse_path=sender.path,
        recipient=str(target),
        forwarded_by=forwarded_by,
        notify=recipient.notify,
        orcpt=recipient.orcpt,
        ret=sender.ret,
        envid=sender.envid,
        smtputf8=int(sender.smtputf8),
        created_at=created_at,
        due_at=created_at,
        expires_at=created_at + milliseconds(lifetime),
    )
