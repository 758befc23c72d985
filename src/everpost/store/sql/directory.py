"""Tables `tenant`, `domain`, `account`, `address`, `target`: who and what is hosted here."""

from collections.abc import Sequence
from typing import NamedTuple

from everpost.store.ports import Row, Transaction

CATCH_ALL = "*"


class AccountRow(NamedTuple):
    """An account as stored."""

    account_id: int
    tenant_id: int
    domain_id: int
    login: str
    address: str
    name: str
    quota_bytes: int
    active: int
    credential_version: int
    """Grows with every change of the account's credentials."""


class TargetRow(NamedTuple):
    """Where an address leads: an account here, or an address."""

    account_id: int | None
    remote: str | None


_ACCOUNT = "account_id, tenant_id, domain_id, login, address, name, quota_bytes, active, credential_version"


async def add_tenant(tx: Transaction, name: str, now: int) -> int:
    """Raises Conflict if the name is taken."""
    value = await tx.value("INSERT INTO tenant (name, created_at) VALUES ($1, $2) RETURNING tenant_id", name, now)
    return int(value)


async def tenant_named(tx: Transaction, name: str) -> int | None:
    value = await tx.value("SELECT tenant_id FROM tenant WHERE name = $1", name)
    return None if value is None else int(value)


async def add_domain(tx: Transaction, tenant: int, name: str, now: int) -> int:
    """Raises Conflict if the domain is hosted already."""
    value = await tx.value(
        "INSERT INTO domain (tenant_id, name, created_at) VALUES ($1, $2, $3) RETURNING domain_id", tenant, name, now
    )
    return int(value)


async def domain_named(tx: Transaction, name: str) -> tuple[int, int, str | None] | None:
    """(domain_id, tenant_id, address of its postmaster or None)."""
    row = await tx.row("SELECT domain_id, tenant_id, postmaster FROM domain WHERE name = $1", name)
    return None if row is None else (row[0], row[1], row[2])


async def set_postmaster(tx: Transaction, domain: int, address: str | None) -> None:
    """None: the oldest account."""
    await tx.execute("UPDATE domain SET postmaster = $2 WHERE domain_id = $1", domain, address)


async def domains(tx: Transaction) -> Sequence[Row]:
    """(name, tenant's name, number of accounts, number of addresses, created_at), by name."""
    return await tx.fetch(
        """SELECT domain.name, tenant.name,
                  (SELECT count(*) FROM account WHERE account.domain_id = domain.domain_id),
                  (SELECT count(*) FROM address WHERE address.domain_id = domain.domain_id),
                  domain.created_at
           FROM domain JOIN tenant ON tenant.tenant_id = domain.tenant_id ORDER BY domain.name"""
    )


async def delete_domain(tx: Transaction, domain: int) -> None:
    """The accounts must be gone already; the addresses go with it."""
    await tx.execute(
        "DELETE FROM target WHERE address_id IN (SELECT address_id FROM address WHERE domain_id = $1)", domain
    )
    await tx.execute("DELETE FROM address WHERE domain_id = $1", domain)
    await tx.execute("DELETE FROM domain WHERE domain_id = $1", domain)


async def add_account(
    tx: Transaction, tenant: int, domain: int, login: str, address: str, name: str, quota: int, now: int
) -> int:
    """Raises Conflict if the login is taken."""
    value = await tx.value(
        """INSERT INTO account (tenant_id, domain_id, login, address, name, quota_bytes, active,
                                credential_version, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, 1, 1, $7) RETURNING account_id""",
        tenant,
        domain,
        login,
        address,
        name,
        quota,
        now,
    )
    return int(value)


async def account(tx: Transaction, account_id: int) -> AccountRow | None:
    row = await tx.row(f"SELECT {_ACCOUNT} FROM account WHERE account_id = $1", account_id)  # noqa: S608
    return None if row is None else AccountRow(*row)


async def account_by_login(tx: Transaction, login: str) -> AccountRow | None:
    row = await tx.row(f"SELECT {_ACCOUNT} FROM account WHERE login = $1", login)  # noqa: S608
    return None if row is None else AccountRow(*row)


async def accounts(tx: Transaction, domain: int | None, after: str, limit: int) -> list[AccountRow]:
    """Accounts of a domain, or all, by login, those after `after`."""
    rows = await tx.fetch(
        f"""SELECT {_ACCOUNT} FROM account WHERE ($1 < 0 OR domain_id = $1) AND login > $2
            ORDER BY login LIMIT $3""",  # noqa: S608
        -1 if domain is None else domain,
        after,
        limit,
    )
    return [AccountRow(*row) for row in rows]


async def oldest_account(tx: Transaction, domain: int) -> int | None:
    """The first account made in the domain, else the first of all."""
    value = await tx.value("SELECT min(account_id) FROM account WHERE domain_id = $1 AND active = 1", domain)
    if value is None:
        value = await tx.value("SELECT min(account_id) FROM account WHERE active = 1")
    return None if value is None else int(value)


async def update_account(tx: Transaction, account_id: int, name: str, quota: int, active: int) -> None:
    await tx.execute(
        "UPDATE account SET name = $2, quota_bytes = $3, active = $4 WHERE account_id = $1",
        account_id,
        name,
        quota,
        active,
    )


async def credentials_changed(tx: Transaction, account_id: int) -> None:
    """What was verified with the old credentials counts no more."""
    await tx.execute("UPDATE account SET credential_version = credential_version + 1 WHERE account_id = $1", account_id)


async def delete_account(tx: Transaction, account_id: int) -> None:
    """Remove the account, its credentials, and every target and address that led only to it."""
    rows = await tx.fetch("DELETE FROM target WHERE account_id = $1 RETURNING address_id", account_id)
    await tx.execute(
        """DELETE FROM address WHERE address_id IN MANY($1)
           AND NOT EXISTS (SELECT 1 FROM target WHERE target.address_id = address.address_id)""",
        [row[0] for row in rows],
    )
    await tx.execute("DELETE FROM credential WHERE account_id = $1", account_id)
    await tx.execute("DELETE FROM account WHERE account_id = $1", account_id)


async def set_address(
    tx: Transaction, domain: int, local: str, written: str, targets: Sequence[TargetRow], now: int
) -> None:
    """Make an address, or give it other targets; `written` is its local part as it is shown."""
    address = await tx.value(
        """INSERT INTO address (domain_id, local, written, created_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (domain_id, local) DO UPDATE SET written = excluded.written RETURNING address_id""",
        domain,
        local,
        written,
        now,
    )
    await tx.execute("DELETE FROM target WHERE address_id = $1", address)
    await tx.many(
        "INSERT INTO target (address_id, position, account_id, remote) VALUES ($1, $2, $3, $4)",
        [(address, place, *target) for place, target in enumerate(targets)],
    )


async def delete_address(tx: Transaction, domain: int, local: str) -> bool:
    """Whether it was there."""
    address = await tx.value("SELECT address_id FROM address WHERE domain_id = $1 AND local = $2", domain, local)
    if address is None:
        return False
    await tx.execute("DELETE FROM target WHERE address_id = $1", address)
    await tx.execute("DELETE FROM address WHERE address_id = $1", address)
    return True


async def targets(tx: Transaction, domain_name: str, local: str) -> list[TargetRow]:
    """The targets of an address in their order; none if there is no such address."""
    rows = await tx.fetch(
        """SELECT target.account_id, target.remote
           FROM domain JOIN address ON address.domain_id = domain.domain_id
           JOIN target ON target.address_id = address.address_id
           WHERE domain.name = $1 AND address.local = $2 ORDER BY target.position""",
        domain_name,
        local,
    )
    return [TargetRow(*row) for row in rows]


async def addresses(tx: Transaction, domain: int | None, after: int, limit: int) -> Sequence[Row]:
    """(address_id, domain's name, local as written, account's address or None, remote or None), by id and position."""
    return await tx.fetch(
        """SELECT address.address_id, domain.name, address.written, account.address, target.remote
           FROM (SELECT * FROM address WHERE ($1 < 0 OR domain_id = $1) AND address_id > $2
                 ORDER BY address_id LIMIT $3) AS address
           JOIN domain ON domain.domain_id = address.domain_id
           LEFT JOIN target ON target.address_id = address.address_id
           LEFT JOIN account ON account.account_id = target.account_id
           ORDER BY address.address_id, target.position""",
        -1 if domain is None else domain,
        after,
        limit,
    )
