"""Mailboxes on both engines, with blobs in memory and a clock that stands still."""

import random

import pytest

from everpost.core.ids import AccountId
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.content import Contents
from everpost.store.feed import Feed
from everpost.store.ports import Database


class StillClock:
    def now(self) -> float:
        return 1_790_000_000.25

    def monotonic(self) -> float:
        return 1000.0


class DictBlobs:
    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.held[key] = data

    async def get(self, key: str) -> bytes:
        return self.held[key]

    async def delete(self, key: str) -> None:
        self.held.pop(key, None)


@pytest.fixture
def blobs() -> DictBlobs:
    return DictBlobs()


@pytest.fixture
def mailboxes(database: Database, blobs: DictBlobs) -> Mailboxes:
    clock = StillClock()
    return Mailboxes(database, Contents(blobs, clock), Feed(), clock, random.Random(7))


@pytest.fixture
async def mail(mailboxes: Mailboxes) -> AccountMail:
    return await mailboxes.open(AccountId(1))


def message(subject: str = "hello", body: str = "text\r\n") -> bytes:
    return f"From: a@example.test\r\nTo: b@example.test\r\nSubject: {subject}\r\n\r\n{body}".encode()
