"""Where mail for an address goes: mailboxes here, addresses elsewhere, or nowhere and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from everpost.accounts.directory import Account, Domain, Entry, Target
from everpost.core.address import Address, BadAddress
from everpost.core.ids import AccountId, TenantId
from everpost.core.log import logger

log = logger("delivery")

# RFC 5321 section 3.9 leaves the limits of expansion to us.
MAX_DEPTH = 10
MAX_TARGETS = 1000

# Between the user and the detail (RFC 5233).
SEPARATOR = "+"
POSTMASTER = "postmaster"


class Hosted(Protocol):
    """The part of `accounts.directory.Directory` that routing asks."""

    async def domain(self, name: str, /) -> Domain | None: ...

    async def lookup(self, address: Address, /) -> Entry | None: ...

    async def account(self, account_id: AccountId, /) -> Account | None: ...


class Kind(Enum):
    """What an address is to us."""

    HERE = "here"
    """Hosted, and mail for it goes somewhere."""
    ELSEWHERE = "elsewhere"
    """Its domain is not hosted here."""
    UNKNOWN = "unknown"
    """Its domain is hosted, but not the address."""
    INACTIVE = "inactive"
    """The only mailboxes behind it are switched off."""
    ENDLESS = "endless"
    """Its aliases point at each other, or at too much."""


@dataclass(frozen=True, slots=True)
class ToAccount:
    """A mailbox here."""

    account: Account
    detail: str = ""
    """What stood behind `+` in the address that led here."""


@dataclass(frozen=True, slots=True)
class ToRemote:
    """An address elsewhere to which mail is forwarded."""

    address: Address
    forwarded_by: Address
    """The hosted address whose entry names it."""
    tenant: TenantId


@dataclass(frozen=True, slots=True)
class Dead:
    """A target that leads nowhere while others of the same address do."""

    address: str
    status: str
    text: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for one address goes; each mailbox and each remote address once."""

    kind: Kind
    accounts: tuple[ToAccount, ...] = ()
    remotes: tuple[ToRemote, ...] = ()
    dead: tuple[Dead, ...] = ()


_ELSEWHERE = Route(Kind.ELSEWHERE)
_UNKNOWN = Route(Kind.UNKNOWN)


@dataclass(slots=True)
class _Expansion:
    """What has been found so far for one address."""

    accounts: dict[AccountId, ToAccount] = field(default_factory=dict)
    remotes: dict[str, ToRemote] = field(default_factory=dict)
    dead: list[Dead] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Keys of hosted addresses already expanded."""
    steps: int = 0
    inactive: bool = False
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Router:
    """Resolves addresses by the directory."""

    directory: Hosted
    hostname: str
    """The node's own name. Mail for `postmaster` without a domain (RFC 5321 section 4.1.1.3), for postmaster at
    this name (which our notices come from) and for postmaster of domains that have nobody goes to the postmaster
    of the nearest hosted domain at or above it."""

    async def route(self, address: Address) -> Route:
        """Where mail for `address` goes. Raises BadAddress, StoreUnavailable."""
        domain = await self.directory.domain(address.ascii_domain) if address.domain else None
        if domain is None:
            if address.local_key != POSTMASTER or address.domain.lower() not in {"", self.hostname.lower()}:
                return _ELSEWHERE
            domain = await self._own_domain()
            if domain is None:
                return _UNKNOWN
            address = Address(POSTMASTER, domain.name)
        found = await self._find(address, domain)
        if found is None:
            return _UNKNOWN
        targets, detail = found
        if len(targets) == 1 and targets[0].account_id is not None:
            # Nearly every address: one mailbox.
            account = await self.directory.account(targets[0].account_id)
            if account is None:
                return _UNKNOWN
            return Route(Kind.HERE, (ToAccount(account, detail),)) if account.active else Route(Kind.INACTIVE)
        expansion = _Expansion(seen={address.key})
        await self._expand(expansion, address, domain, targets, detail, 1)
        return self._result(expansion, address)

    async def _own_domain(self) -> Domain | None:
        """The nearest hosted domain at or above our own name."""
        name = self.hostname.lower()
        while name:
            domain = await self.directory.domain(name)
            if domain is not None:
                return domain
            name = name.partition(".")[2]
        return None

    async def _find(self, address: Address, domain: Domain) -> tuple[Sequence[Target], str] | None:
        """The targets of a hosted address and its detail: exact, without detail, catch-all, postmaster."""
        entry = await self.directory.lookup(address)
        if entry is not None:
            return entry.targets, ""
        user, plus, detail = address.local.partition(SEPARATOR)
        if plus and user:
            entry = await self.directory.lookup(Address(user, address.domain))
            if entry is not None:
                return entry.targets, detail
        if domain.catch_all:
            return domain.catch_all, ""
        if address.local_key == POSTMASTER:
            # RFC 5321 section 4.5.1: always there; for a domain without accounts the operator answers.
            own = await self._own_domain()
            entry = None if own is None else await self.directory.lookup(Address(POSTMASTER, own.name))
            return None if entry is None else (entry.targets, "")
        return None

    async def _expand(
        self,
        expansion: _Expansion,
        address: Address,
        domain: Domain,
        targets: Sequence[Target],
        detail: str,
        depth: int,
    ) -> None:
        """Add what the targets of `address` lead to."""
        for target in targets:
            expansion.steps += 1
            if expansion.steps > MAX_TARGETS or depth > MAX_DEPTH:
                expansion.endless = True
                return
            if target.account_id is not None:
                await self._add_account(expansion, target.account_id, detail)
            elif target.remote:
                await self._add_address(expansion, address, domain, target.remote, depth)

    async def _add_account(self, expansion: _Expansion, account_id: AccountId, detail: str) -> None:
        if account_id in expansion.accounts:
            return
        account = await self.directory.account(account_id)
        if account is None:
            return
        if not account.active:
            expansion.inactive = True
            expansion.dead.append(Dead(str(account.address), "5.2.1", "the mailbox is switched off"))
            return
        expansion.accounts[account_id] = ToAccount(account, detail)

    async def _add_address(
        self, expansion: _Expansion, forwarder: Address, domain: Domain, text: str, depth: int
    ) -> None:
        try:
            address = Address.parse(text)
        except BadAddress:
            expansion.dead.append(Dead(text, "5.1.3", "malformed address"))
            return
        hosted = await self.directory.domain(address.ascii_domain)
        if hosted is None:
            expansion.remotes.setdefault(address.key, ToRemote(address, forwarder, domain.tenant_id))
            return
        if address.key in expansion.seen:
            return  # A circle, or two ways to the same place: expanded already.
        expansion.seen.add(address.key)
        found = await self._find(address, hosted)
        if found is None:
            expansion.dead.append(Dead(str(address), "5.1.1", "no such mailbox"))
            return
        targets, detail = found
        await self._expand(expansion, address, hosted, targets, detail, depth + 1)

    @staticmethod
    def _result(expansion: _Expansion, address: Address) -> Route:
        if expansion.endless:
            log.warning("alias.endless", address=address.key)
            return Route(Kind.ENDLESS)
        if expansion.accounts or expansion.remotes:
            return Route(
                Kind.HERE,
                tuple(expansion.accounts.values()),
                tuple(expansion.remotes.values()),
                tuple(expansion.dead),
            )
        if expansion.inactive:
            return Route(Kind.INACTIVE)
        if not expansion.dead:
            log.warning("alias.endless", address=address.key)
            return Route(Kind.ENDLESS)
        return _UNKNOWN
