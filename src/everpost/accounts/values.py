"""What the directory answers with."""

from dataclasses import dataclass

from everpost.core.address import Address
from everpost.core.ids import AccountId, DomainId, TenantId


@dataclass(frozen=True, slots=True)
class Target:
    """Where an address leads: an account here, or another address (hosted here or not)."""

    account_id: AccountId | None
    remote: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An address that exists."""

    address: Address
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """A hosted domain."""

    domain_id: DomainId
    tenant_id: TenantId
    name: str
    """A-labels, lower case."""
    catch_all: tuple[Target, ...] = ()
    postmaster: tuple[Target, ...] = ()
    """Who gets mail for postmaster and abuse unless such an address exists."""


@dataclass(frozen=True, slots=True)
class Account:
    """A mailbox with an owner."""

    account_id: AccountId
    tenant_id: TenantId
    domain_id: DomainId
    address: Address
    name: str
    quota_bytes: int
    """0 for no limit."""
    active: bool
    credential_version: int = 1
    """Grows with every change of the account's credentials."""
