"""A directory with a few people, on both engines; slow hashes counted and made quick."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from everpost.accounts import passwords
from everpost.accounts.authenticate import Authenticator
from everpost.accounts.checks import PasswordChecks
from everpost.accounts.directory import Account, Directory
from everpost.core.address import Address
from everpost.store.feed import Feed
from everpost.store.ports import Database
from everpost.store.sql.credentials import CredentialRow
from tests.accounts.fakes import FakeClock, FakeSleeper

SECRET = "correct horse"


@dataclass
class CountedVerify:
    """The real argon2, with every call noted."""

    hashes: list[str] = field(default_factory=list)

    def __call__(self, argon2: str, password: str) -> bool:
        self.hashes.append(argon2)
        return passwords.verify(argon2, password)


@dataclass
class World:
    database: Database
    feed: Feed
    clock: FakeClock
    sleeper: FakeSleeper
    directory: Directory
    verify: CountedVerify
    authenticator: Authenticator

    async def who(self, text: str) -> Account:
        account = await self.directory.account_of(Address.parse(text).key)
        assert account is not None
        return account


@pytest.fixture(scope="session")
def secret() -> CredentialRow:
    """Made once because that is slow."""
    return passwords.make(SECRET, 0)


@pytest.fixture
async def world(database: Database, secret: CredentialRow) -> AsyncIterator[World]:
    feed, clock, sleeper, verify = Feed(), FakeClock(), FakeSleeper(), CountedVerify()
    directory = Directory(database, feed, clock)
    await directory.add_domain("example.test")
    await directory.add_domain("münchen.test")
    await directory.add_account(Address.parse("Ann@example.test"), secret)
    await directory.add_account(Address.parse("bob@example.test"), secret)
    await directory.add_account(Address.parse("jürgen@münchen.test"), secret)
    authenticator = Authenticator(
        directory, clock, sleeper=sleeper, checks=PasswordChecks(verify=verify), chance=random.Random(7)
    )
    yield World(database, feed, clock, sleeper, directory, verify, authenticator)
    authenticator.close()
