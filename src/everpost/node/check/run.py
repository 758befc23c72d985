"""All checks, in order."""

from collections.abc import AsyncIterator

from everpost.core.clock import SystemClock
from everpost.core.errors import EverpostError
from everpost.node.check import certificate, dns, machine, store
from everpost.node.check.finding import Finding
from everpost.node.parts import resolver_of
from everpost.node.settings.model import Settings
from everpost.store.migrations import missing
from everpost.store.open import open_database
from everpost.store.ports import Transaction
from everpost.store.sql import directory


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything; what is found comes as soon as it is found."""
    for look in (machine.folders, machine.files, machine.ports, certificate.certificates):
        for finding in look(settings):
            yield finding
    for finding in machine.clock():
        yield finding
    async for finding in store.database(settings):
        yield finding
    async for finding in store.blobs(settings):
        yield finding
    resolver = resolver_of(settings, SystemClock())
    async for finding in dns.names(resolver, settings.node.hostname, await _domains(settings)):
        yield finding


async def _domains(settings: Settings) -> list[str]:
    """The domains hosted here; none if the database cannot tell, which has been found already."""

    async def work(tx: Transaction) -> list[str]:
        return [row[0] for row in await directory.domains(tx)]

    try:
        database = await open_database(settings.database_url)
        try:
            return [] if await missing(database) else await database.read(work)
        finally:
            await database.close()
    except (EverpostError, OSError):
        return []
