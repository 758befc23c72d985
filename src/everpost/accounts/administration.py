"""Changes to the directory: domains, accounts, addresses, credentials. Each is one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from everpost.accounts import passwords
from everpost.core.address import Address, domain_to_ascii
from everpost.core.clock import Clock, milliseconds
from everpost.core.errors import Refused
from everpost.core.ids import AccountId
from everpost.store.feed import Feed
from everpost.store.ports import Conflict, Database, Transaction, Work
from everpost.store.sql import credentials, directory
from everpost.store.sql.credentials import CredentialRow
from everpost.store.sql.directory import CATCH_ALL, AccountRow, TargetRow

T = TypeVar("T")

TOPIC = "directory"
DEFAULT_TENANT = "default"
MAX_TARGETS = 1000


class Unknown(Refused):
    """There is no such thing."""


class Taken(Refused):
    """There is such a thing already."""


@dataclass(frozen=True, slots=True)
class DomainLine:
    """A domain in a listing."""

    name: str
    tenant: str
    accounts: int
    addresses: int
    created_ms: int


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account in a listing."""

    account_id: int
    address: str
    name: str
    quota_bytes: int
    active: bool


@dataclass(frozen=True, slots=True)
class AddressLine:
    """An address in a listing."""

    address: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CredentialLine:
    """A credential in a listing; never its secret."""

    credential_id: int
    kind: str
    label: str
    created_ms: int


class Administration:
    """Changes the directory and tells every worker."""

    def __init__(self, database: Database, feed: Feed, clock: Clock) -> None:
        self.database = database
        self.feed = feed
        self.clock = clock

    @property
    def _now(self) -> int:
        return milliseconds(self.clock.now())

    async def _change(self, work: Work[T], taken: str = "it exists already") -> T:
        async def told(tx: Transaction) -> T:
            result = await work(tx)
            tx.after_commit(lambda: self.feed.publish(TOPIC))
            return result

        try:
            return await self.database.write(told)
        except Conflict as error:
            raise Taken(taken) from error

    async def add_tenant(self, name: str) -> int:
        """Raises Taken."""

        async def work(tx: Transaction) -> int:
            return await directory.add_tenant(tx, name, self._now)

        return await self._change(work, "there is such a tenant already")

    async def add_domain(self, name: str, tenant: str = DEFAULT_TENANT) -> None:
        """Host a domain; the tenant is made if need be. Raises Taken, BadAddress."""
        name = domain_to_ascii(name)

        async def work(tx: Transaction) -> None:
            tenant_id = await directory.tenant_named(tx, tenant)
            if tenant_id is None:
                tenant_id = await directory.add_tenant(tx, tenant, self._now)
            await directory.add_domain(tx, tenant_id, name, self._now)

        await self._change(work, "the domain is hosted already")

    async def remove_domain(self, name: str) -> None:
        """Raises Unknown; Refused while it has accounts."""
        name = domain_to_ascii(name)

        async def work(tx: Transaction) -> None:
            domain, *_ = await _domain(tx, name)
            if await directory.accounts(tx, domain, "", 1):
                raise Refused("the domain has accounts; remove them first")
            await directory.delete_domain(tx, domain)

        await self._change(work)

    async def list_domains(self) -> list[DomainLine]:
        """All domains by name."""

        async def work(tx: Transaction) -> list[DomainLine]:
            return [DomainLine(*row) for row in await directory.domains(tx)]

        return await self.database.read(work)

    async def add_account(
        self, address: Address, password: str | CredentialRow, name: str = "", quota_bytes: int = 0
    ) -> AccountId:
        """Make an account with its address. Raises Taken, Unknown (no such domain), BadPassword.

        `password` may be made beforehand with `passwords.make`, for many accounts at once.
        """
        secret = passwords.make(password, self._now) if isinstance(password, str) else password
        if address.local_key in {"", CATCH_ALL} or "+" in address.local:
            raise Refused("an account's address has a plain local part, without +")

        async def work(tx: Transaction) -> AccountId:
            domain, tenant, _ = await _domain(tx, address.ascii_domain)
            if await directory.targets(tx, address.ascii_domain, address.local_key):
                raise Taken("the address exists already")
            account = await directory.add_account(
                tx, tenant, domain, address.key, str(address), name, quota_bytes, self._now
            )
            await credentials.add(tx, account, secret)
            await directory.set_address(
                tx, domain, address.local_key, address.local, [TargetRow(account, None)], self._now
            )
            return AccountId(account)

        return await self._change(work, "the account exists already")

    async def remove_account(self, address: Address) -> AccountId:
        """Remove an account and the addresses that led only to it; its mail is the caller's. Raises Unknown."""

        async def work(tx: Transaction) -> AccountId:
            row = await _account(tx, address)
            await directory.delete_account(tx, row.account_id)
            return AccountId(row.account_id)

        return await self._change(work)

    async def list_accounts(self, domain: str | None = None, after: str = "", limit: int = 1000) -> list[AccountLine]:
        """Accounts by address, of one domain or all, from `after` on. Raises Unknown."""

        async def work(tx: Transaction) -> list[AccountLine]:
            domain_id = None if domain is None else (await _domain(tx, domain_to_ascii(domain)))[0]
            return [_line(row) for row in await directory.accounts(tx, domain_id, after, limit)]

        return await self.database.read(work)

    async def show_account(self, address: Address) -> AccountLine:
        """Raises Unknown."""

        async def work(tx: Transaction) -> AccountLine:
            return _line(await _account(tx, address))

        return await self.database.read(work)

    async def change_account(
        self,
        address: Address,
        *,
        name: str | None = None,
        quota_bytes: int | None = None,
        active: bool | None = None,
    ) -> None:
        """Change what is given. Raises Unknown."""

        async def work(tx: Transaction) -> None:
            row = await _account(tx, address)
            await directory.update_account(
                tx,
                row.account_id,
                row.name if name is None else name,
                row.quota_bytes if quota_bytes is None else quota_bytes,
                row.active if active is None else int(active),
            )

        await self._change(work)

    async def set_active(self, address: Address, active: bool) -> None:
        """Suspend or resume. Raises Unknown."""
        await self.change_account(address, active=active)

    async def set_password(self, address: Address, password: str) -> None:
        """Replace the password; app passwords stay. Raises Unknown, BadPassword."""
        secret = passwords.make(password, self._now)

        async def work(tx: Transaction) -> None:
            row = await _account(tx, address)
            await credentials.delete_kind(tx, row.account_id, credentials.PASSWORD)
            await credentials.add(tx, row.account_id, secret)
            await directory.credentials_changed(tx, row.account_id)

        await self._change(work)

    async def add_app_password(self, address: Address, label: str) -> str:
        """A new app password, to be shown once. Raises Unknown."""
        shown, secret = passwords.make_app(label, self._now)

        async def work(tx: Transaction) -> None:
            row = await _account(tx, address)
            await credentials.add(tx, row.account_id, secret)
            await directory.credentials_changed(tx, row.account_id)

        await self._change(work)
        return shown

    async def list_credentials(self, address: Address) -> list[CredentialLine]:
        """Raises Unknown."""

        async def work(tx: Transaction) -> list[CredentialLine]:
            row = await _account(tx, address)
            return [
                CredentialLine(each.credential_id, each.kind, each.label, each.created_at)
                for each in await credentials.of_account(tx, row.account_id)
            ]

        return await self.database.read(work)

    async def remove_app_password(self, address: Address, credential_id: int) -> None:
        """Raises Unknown."""

        async def work(tx: Transaction) -> None:
            row = await _account(tx, address)
            kinds = {each.credential_id: each.kind for each in await credentials.of_account(tx, row.account_id)}
            if kinds.get(credential_id) != credentials.APP:
                raise Unknown("there is no such app password")
            await credentials.delete(tx, row.account_id, credential_id)
            await directory.credentials_changed(tx, row.account_id)

        await self._change(work)

    async def add_address(self, address: Address, targets: Sequence[Address]) -> None:
        """Make an alias or a forward, or give it other targets; `*` as local part is the catch-all.

        A target that is an account's address leads into that account. Raises Unknown, Refused.
        """
        if not targets or len(targets) > MAX_TARGETS:
            raise Refused(f"an address has 1 to {MAX_TARGETS} targets")

        async def work(tx: Transaction) -> None:
            domain, *_ = await _domain(tx, address.ascii_domain)
            if await directory.account_by_login(tx, address.key) is not None:
                raise Taken("the address is an account's own")
            rows = [await _target(tx, target) for target in targets]
            await directory.set_address(tx, domain, address.local_key, address.local, rows, self._now)

        await self._change(work)

    async def set_catch_all(self, domain: str, targets: Sequence[Address]) -> None:
        """Who gets mail for addresses that do not exist; nobody if `targets` is empty. Raises Unknown."""
        address = Address(CATCH_ALL, domain)
        if targets:
            await self.add_address(address, targets)
        else:
            await self.remove_address(address)

    async def set_postmaster(self, domain: str, address: Address | None) -> None:
        """Who gets mail for the domain's postmaster and abuse; None for its oldest account. Raises Unknown."""
        name = domain_to_ascii(domain)

        async def work(tx: Transaction) -> None:
            domain_id, *_ = await _domain(tx, name)
            await directory.set_postmaster(tx, domain_id, None if address is None else str(address))

        await self._change(work)

    async def remove_address(self, address: Address) -> None:
        """Raises Unknown; Refused for an account's own address."""

        async def work(tx: Transaction) -> None:
            domain, *_ = await _domain(tx, address.ascii_domain)
            if await directory.account_by_login(tx, address.key) is not None:
                raise Refused("the address is an account's own; remove the account")
            if not await directory.delete_address(tx, domain, address.local_key):
                raise Unknown("there is no such address")

        await self._change(work)

    async def list_addresses(self, domain: str | None = None, limit: int = 10_000) -> list[AddressLine]:
        """Addresses with their targets, accounts' own included. Raises Unknown."""

        async def work(tx: Transaction) -> list[AddressLine]:
            domain_id = None if domain is None else (await _domain(tx, domain_to_ascii(domain)))[0]
            found: dict[int, tuple[str, list[str]]] = {}
            for address_id, name, local, account, remote in await directory.addresses(tx, domain_id, 0, limit):
                entry = found.setdefault(address_id, (f"{local}@{name}", []))
                entry[1].append(account or remote or "")
            return sorted(
                (AddressLine(address, tuple(targets)) for address, targets in found.values()),
                key=lambda line: line.address,
            )

        return await self.database.read(work)


async def _domain(tx: Transaction, name: str) -> tuple[int, int, str | None]:
    found = await directory.domain_named(tx, name)
    if found is None:
        raise Unknown(f"the domain {name} is not hosted here")
    return found


async def _account(tx: Transaction, address: Address) -> AccountRow:
    row = await directory.account_by_login(tx, address.key)
    if row is None:
        raise Unknown(f"there is no account {address}")
    return row


async def _target(tx: Transaction, address: Address) -> TargetRow:
    row = await directory.account_by_login(tx, address.key)
    return TargetRow(row.account_id, None) if row is not None else TargetRow(None, str(address))


def _line(row: AccountRow) -> AccountLine:
    return AccountLine(row.account_id, row.address, row.name, row.quota_bytes, bool(row.active))
