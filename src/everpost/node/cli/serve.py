"""`everpost serve` and `everpost migrate`."""

import asyncio
import os
from pathlib import Path

import uvloop

from everpost.node import logging
from everpost.node.cli.context import JsonOption, SettingsOption, settings_of, settings_path
from everpost.node.cli.output import show
from everpost.node.supervisor import Supervisor
from everpost.store.migrations import migrate as migrate_database
from everpost.store.open import open_database


def serve(settings: SettingsOption = None) -> None:
    """Run this node until it is told to stop.

    SIGTERM stops with grace, SIGHUP reads certificates and settings again.
    """
    # Mail is nobody else's; a group may make backups.
    os.umask(0o027)
    path = settings_path(settings).absolute()
    loaded = settings_of(path)
    logging.configure(loaded.log.format, loaded.log.level, "supervisor")
    uvloop.run(Supervisor(loaded, path).run())


def migrate(settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Bring the database to this version's schema; safe at any time and from several nodes at once."""
    steps = asyncio.run(_migrate(settings))
    show({"applied": steps}, json=json, plain=f"applied: {', '.join(steps)}" if steps else "nothing to do")


async def _migrate(path: Path | None) -> list[str]:
    database = await open_database(settings_of(path).database_url)
    try:
        return await migrate_database(database)
    finally:
        await database.close()
