"""Opening a database by its URL, and bringing its schema up to date. The one place that knows the engines."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from everpost.core.errors import Refused
from everpost.store.ports import Database

if TYPE_CHECKING:
    from everpost.store.postgres.relay import PostgresRelay


async def open_database(url: str) -> Database:
    """Open `sqlite:///absolute/path` or `postgresql://user@host:port/name`.

    Raises Refused for a URL of another kind, StoreUnavailable if it cannot be reached.
    """
    scheme = urlsplit(url).scheme
    match scheme:
        case "sqlite":
            from everpost.store.sqlite.database import SqliteDatabase  # noqa: PLC0415 - load one engine only

            path = Path(url.removeprefix("sqlite://"))
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            return SqliteDatabase(path)
        case "postgresql" | "postgres":
            from everpost.store.postgres.database import PostgresDatabase  # noqa: PLC0415

            return await PostgresDatabase.open(url)
        case _:
            raise Refused(f"a database URL starts with sqlite:// or postgresql://, not {scheme or 'nothing'}://")


def open_relay(url: str, node: str, receive: Callable[[dict[str, int]], None]) -> "PostgresRelay | None":
    """What carries wake-ups between nodes for the database at `url`; None where one node is all there is."""
    if urlsplit(url).scheme not in {"postgresql", "postgres"}:
        return None
    from everpost.store.postgres.relay import PostgresRelay  # noqa: PLC0415

    return PostgresRelay(url, node, receive)
