"""Database and blobs: reachable, with the right schema, writable."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

from everpost.core.errors import EverpostError
from everpost.node.check.finding import Finding, fault, ok, warning
from everpost.node.check.machine import CLOCK_SECONDS
from everpost.node.settings.model import Settings
from everpost.store.blobs.open import open_blobs
from everpost.store.migrations import missing
from everpost.store.open import open_database
from everpost.store.ports import Database

ANSWER_SECONDS = 15.0
# PostgreSQL's server_version_num of the oldest that is supported.
OLDEST_POSTGRES = 150_000


async def database(settings: Settings) -> AsyncIterator[Finding]:
    """The database answers; its schema, version and clock are right."""
    url = settings.database_url
    subject = "database"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            opened = await open_database(url)
            try:
                steps = await missing(opened)
                findings = [finding async for finding in _postgres(opened)] if opened.dialect == "postgres" else []
            finally:
                await opened.close()
    except (EverpostError, OSError, TimeoutError) as error:
        reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error) or "no answer"
        yield fault(subject, f"{_shown(url)}: {reason}", "start it, or put storage.database right")
        return
    if steps:
        yield warning(subject, f"{len(steps)} schema steps are missing", "everpost migrate; serve does it too")
    else:
        yield ok(subject, f"{_shown(url)} answers and has this version's schema")
    for finding in findings:
        yield finding
    if opened.dialect == "postgres" and settings.blobs_url.startswith("file:"):
        yield warning("blobs", "are files of this machine", "when a second node comes, keep them in S3: storage.blobs")


async def _postgres(opened: Database) -> AsyncIterator[Finding]:
    rows = await opened.query(
        "SELECT current_setting('server_version_num')::bigint, extract(epoch FROM clock_timestamp())::float8"
    )
    version, now = rows[0]
    if version < OLDEST_POSTGRES:
        yield fault("database", f"is PostgreSQL {version // 10_000}", "use PostgreSQL 15 or newer")
    apart = abs(now - time.time())
    if apart > CLOCK_SECONDS:
        yield fault("clock", f"is {apart:.0f} s away from the database's", "run NTP on both machines")


async def blobs(settings: Settings) -> AsyncIterator[Finding]:
    """A blob can be put, read again and deleted."""
    url = settings.blobs_url
    key, data = f"everpost-check-{secrets.token_hex(8)}", secrets.token_bytes(1024)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            store = open_blobs(url)
            try:
                await store.put(key, data)
                same = await store.get(key) == data
                await store.delete(key)
            finally:
                await store.close()
    except (EverpostError, OSError, TimeoutError) as error:
        reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error) or "no answer"
        yield fault("blobs", f"{_shown(url)}: {reason}", "put storage.blobs right, and the rights of its user")
        return
    if same:
        yield ok("blobs", f"{_shown(url)} can be written and read")
    else:
        yield fault("blobs", f"{_shown(url)} gives back something else than was put", "look at the store's own log")


def _shown(url: str) -> str:
    """A URL without the secrets in it."""
    scheme, separator, rest = url.partition("://")
    place = rest.partition("?")[0]
    return f"{scheme}{separator}{place.rpartition('@')[2]}"
