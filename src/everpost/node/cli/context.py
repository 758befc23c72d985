"""What commands need: the settings, and the stores opened for the time of one command."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from everpost.accounts.directory import Directory
from everpost.core.address import Address
from everpost.core.clock import SystemClock
from everpost.core.errors import Refused
from everpost.delivery.bounces import Bounces
from everpost.delivery.routing import Router
from everpost.delivery.service import QueueService
from everpost.mailbox.account import Mailboxes
from everpost.mailbox.content import Contents
from everpost.mailbox.deliver import Deliverer
from everpost.node.identity import hand_over
from everpost.node.settings.model import Settings
from everpost.node.settings.read import load
from everpost.store.blobs.open import open_blobs
from everpost.store.feed import Feed
from everpost.store.migrations import migrate, missing
from everpost.store.open import open_database, open_relay

T = TypeVar("T")

PLACES = (Path("everpost.toml"), Path("/etc/everpost/everpost.toml"))

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        "-s",
        help="The settings file; else $EVERPOST_SETTINGS, ./everpost.toml or /etc/everpost/everpost.toml.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_path(given: Path | None) -> Path:
    """Which settings file is meant. Raises Refused if there is none."""
    if given is not None:
        return given
    if named := os.environ.get("EVERPOST_SETTINGS"):
        return Path(named)
    for place in PLACES:
        if place.exists():
            return place
    raise Refused("there is no settings file; make one with: everpost init DIR")


def settings_of(given: Path | None) -> Settings:
    """The node's settings, read as the user the node runs as. Raises BadSettings, Refused."""
    settings = load(settings_path(given))
    hand_over(settings)
    return settings


@dataclass(frozen=True, slots=True)
class Tools:
    """The services that commands call."""

    settings: Settings
    directory: Directory
    mailboxes: Mailboxes
    queue: QueueService


@asynccontextmanager
async def tools(settings: Settings) -> AsyncIterator[Tools]:
    """Open the stores, their schema brought up to date. Raises StoreUnavailable."""
    clock, chance = SystemClock(), random.SystemRandom()
    database = await open_database(settings.database_url)
    try:
        if await missing(database):
            await migrate(database)
        # A running node of this machine hears of changes through its folder; others through the relay.
        folder = settings.node.run_dir if settings.node.run_dir.is_dir() else None
        feed = Feed(folder, f"cli-{os.getpid()}")
        feed.start()
        relay = open_relay(settings.database_url, f"cli-{os.getpid()}", feed.receive)
        feed.relay = relay
        try:
            directory = Directory(database, feed, clock)
            contents = Contents(open_blobs(settings.blobs_url), clock, settings.storage.inline)
            deliverer = Deliverer(database, feed, clock)
            router = Router(directory, settings.node.hostname)
            bounces = Bounces(router, contents, clock, chance, settings.node.hostname)
            yield Tools(
                settings,
                directory,
                Mailboxes(database, contents, feed, clock, chance),
                QueueService(database, contents, deliverer, bounces, feed, clock),
            )
        finally:
            feed.stop()
            if relay is not None:
                await relay.send_now()
    finally:
        await database.close()


def run(path: Path | None, work: Callable[[Tools], Awaitable[T]]) -> T:
    """Run one command's work with the stores open. Raises BadSettings, StoreUnavailable and what `work` raises."""
    settings = settings_of(path)

    async def with_tools() -> T:
        async with tools(settings) as opened:
            return await work(opened)

    return asyncio.run(with_tools())


def address(text: str) -> Address:
    """An argument as an address. Raises BadAddress."""
    return Address.parse(text)
