"""The directory as mail asks it, thousands of times a second: from memory where it can."""

import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from everpost.accounts.administration import TOPIC, Administration
from everpost.accounts.values import Account, Domain, Entry, Target
from everpost.core.address import Address, BadAddress
from everpost.core.clock import Clock
from everpost.core.ids import AccountId, DomainId, TenantId
from everpost.store.feed import Feed
from everpost.store.ports import Database, Transaction
from everpost.store.sql import credentials, directory
from everpost.store.sql.credentials import CredentialRow
from everpost.store.sql.directory import CATCH_ALL, AccountRow, TargetRow

__all__ = ["Account", "Directory", "Domain", "Entry", "Target"]

T = TypeVar("T")

CACHE_ENTRIES = 100_000
# A lost wake-up is noticed after this long (seconds).
CACHE_SECONDS = 5.0
# Addresses looked at to find out whether one leads into an account.
MAX_STEPS = 200
_RESERVED = frozenset({"postmaster", "abuse"})


class Directory(Administration):
    """Who and what is hosted, read through a cache that every change clears."""

    def __init__(self, database: Database, feed: Feed, clock: Clock) -> None:
        super().__init__(database, feed, clock)
        self._cache: OrderedDict[tuple[str, Any], tuple[float, Any]] = OrderedDict()
        self._age = 0
        feed.subscribe(TOPIC, lambda _: self.forget())

    def forget(self) -> None:
        """Read everything anew."""
        self._cache.clear()
        self._age += 1

    async def _cached(self, kind: str, key: Any, load: Callable[[Transaction], Awaitable[T]]) -> T:
        now = self.clock.monotonic()
        held = self._cache.get((kind, key))
        if held is not None and held[0] > now:
            self._cache.move_to_end((kind, key))
            return cast(T, held[1])
        age = self._age
        value = await self.database.read(load)
        # Something changed while it was being read: good for this answer, not for later ones.
        if age == self._age:
            self._cache[kind, key] = (now + CACHE_SECONDS, value)
            if len(self._cache) > CACHE_ENTRIES:
                self._cache.popitem(last=False)
        return value

    async def domain(self, name: str) -> Domain | None:
        """A hosted domain by its name in A-labels; None if it is not hosted here. Raises StoreUnavailable."""

        async def load(tx: Transaction) -> Domain | None:
            found = await directory.domain_named(tx, name)
            if found is None:
                return None
            catch_all = await directory.targets(tx, name, CATCH_ALL)
            domain_id, tenant_id, postmaster = found
            if postmaster is None:
                oldest = await directory.oldest_account(tx, domain_id)
                answers = () if oldest is None else (Target(AccountId(oldest), None),)
            else:
                answers = (Target(None, postmaster),)
            return Domain(DomainId(domain_id), TenantId(tenant_id), name, _targets(catch_all), answers)

        return await self._cached("domain", name, load)

    async def lookup(self, address: Address) -> Entry | None:
        """An address by itself: no subaddress, no catch-all. Raises BadAddress, StoreUnavailable."""
        domain = await self.domain(address.ascii_domain)
        if domain is None:
            return None

        found = await self._listed(address)
        if not found and address.local_key in _RESERVED:
            found = domain.postmaster
        return Entry(address, found) if found else None

    async def _listed(self, address: Address) -> tuple[Target, ...]:
        """What is listed under exactly this address; nothing if its domain is not hosted."""
        domain = await self.domain(address.ascii_domain)
        if domain is None:
            return ()

        async def load(tx: Transaction) -> tuple[Target, ...]:
            return _targets(await directory.targets(tx, domain.name, address.local_key))

        return await self._cached("address", address.key, load)

    async def postmaster(self, domain: Domain) -> tuple[Target, ...]:
        """Who answers for a domain (RFC 5321 section 4.5.1)."""
        entry = await self.lookup(Address("postmaster", domain.name))
        return entry.targets if entry is not None else domain.postmaster

    async def account(self, account_id: AccountId) -> Account | None:
        """An account by its id. Raises StoreUnavailable."""

        async def load(tx: Transaction) -> Account | None:
            return _account(await directory.account(tx, account_id))

        return await self._cached("account", account_id, load)

    async def account_of(self, login: str) -> Account | None:
        """An account by its login, the key of its own address. Raises StoreUnavailable."""

        async def load(tx: Transaction) -> Account | None:
            return _account(await directory.account_by_login(tx, login))

        return await self._cached("login", login, load)

    async def credentials(self, account_id: AccountId) -> list[CredentialRow]:
        """An account's credentials, never from memory. Raises StoreUnavailable."""

        async def work(tx: Transaction) -> list[CredentialRow]:
            return await credentials.of_account(tx, account_id)

        return await self.database.read(work)

    async def may_send_as(self, account_id: AccountId, address: Address) -> bool:
        """Whether mail for that address, or for it without its detail, leads into the account.

        Whoever gets a domain's postmaster mail only because nobody else was named may not send as its postmaster:
        the account may be another tenant's. Raises BadAddress, StoreUnavailable.
        """
        account = await self.account(account_id)
        if account is None:
            return False
        seen: set[str] = set()
        for candidate in (address, Address(address.local.partition("+")[0], address.domain)):
            if candidate.key == account.address.key or await self._leads_to(candidate, account_id, seen):
                return True
        return False

    async def _leads_to(self, start: Address, account_id: AccountId, seen: set[str]) -> bool:
        """Each address is looked at once, and no more than MAX_STEPS."""
        waiting = [start]
        while waiting and len(seen) < MAX_STEPS:
            address = waiting.pop()
            if address.key in seen:
                continue
            seen.add(address.key)
            for target in await self._listed(address):
                if target.account_id == account_id:
                    return True
                if target.remote is not None:
                    with contextlib.suppress(BadAddress):
                        waiting.append(Address.parse(target.remote))
        return False


def _targets(rows: list[TargetRow]) -> tuple[Target, ...]:
    return tuple(Target(None if row.account_id is None else AccountId(row.account_id), row.remote) for row in rows)


def _account(row: AccountRow | None) -> Account | None:
    if row is None:
        return None
    return Account(
        AccountId(row.account_id),
        TenantId(row.tenant_id),
        DomainId(row.domain_id),
        Address.parse(row.address),
        row.name,
        row.quota_bytes,
        bool(row.active),
        row.credential_version,
    )
