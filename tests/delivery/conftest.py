"""A small hosted world on both engines: `here.test` with accounts, aliases and forwards."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from everpost.accounts import passwords
from everpost.accounts.directory import Account, Directory
from everpost.core.address import Address
from everpost.delivery.routing import Router
from everpost.mailbox.account import Mailboxes
from everpost.mailbox.content import Contents
from everpost.mailbox.deliver import Deliverer
from everpost.store.feed import Feed
from everpost.store.ports import Database
from everpost.store.sql.credentials import CredentialRow
from tests.delivery.fakes import FakeClock, MemoryBlobs


def address(text: str) -> Address:
    return Address.parse(text)


@pytest.fixture(scope="session")
def secret() -> CredentialRow:
    """One password for everybody, made once because that is slow."""
    return passwords.make("a long password", 0)


@dataclass
class House:
    """Everything below delivery, real but for time and blobs."""

    database: Database
    clock: FakeClock
    chance: random.Random
    feed: Feed
    blobs: MemoryBlobs
    contents: Contents
    deliverer: Deliverer
    mailboxes: Mailboxes
    directory: Directory
    router: Router
    secret: CredentialRow

    async def account(self, text: str, quota: int = 0) -> Account:
        """Make an account; its domain must be there."""
        account_id = await self.directory.add_account(address(text), self.secret, quota_bytes=quota)
        account = await self.directory.account(account_id)
        assert account is not None
        return account

    async def mails(self, text: str, folder: str = "INBOX") -> list[bytes]:
        """What lies in somebody's folder."""
        account = await self.directory.account_of(address(text).key)
        assert account is not None
        mail = await self.mailboxes.open(account.account_id)
        view = await mail.select(folder, read_only=True)
        raws = [await view.raw(uid) for uid in view.uids]
        view.close()
        return raws


@pytest.fixture
async def house(database: Database, secret: CredentialRow) -> AsyncIterator[House]:
    clock, chance, feed, blobs = FakeClock(), random.Random(7), Feed(), MemoryBlobs()
    contents = Contents(blobs, clock)
    directory = Directory(database, feed, clock)
    await directory.add_domain("here.test")
    yield House(
        database,
        clock,
        chance,
        feed,
        blobs,
        contents,
        Deliverer(database, feed, clock),
        Mailboxes(database, contents, feed, clock, chance),
        directory,
        Router(directory, "mx.here.test"),
        secret,
    )
