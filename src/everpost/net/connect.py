"""Connections to others."""

import asyncio
from collections.abc import Sequence

from everpost.core.errors import TryLater
from everpost.net.connection import Connection


class CannotConnect(TryLater):
    """None of the addresses answered."""

    default_status = "4.4.1"


async def connect(addresses: Sequence[str], port: int, timeout: float, source: str | None = None) -> Connection:
    """Connect to the first of the addresses (as text) that answers, each within `timeout` seconds.

    `source` is the local address to use. Raises CannotConnect.
    """
    loop = asyncio.get_running_loop()
    reason = "there is no address"
    cause: Exception | None = None
    for address in addresses:
        if source is not None and (":" in source) != (":" in address):
            reason = f"{address} cannot be reached from {source}"
            continue
        local = None if source is None else (source, 0)
        try:
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_connection(Connection, address, port, local_addr=local)
        except TimeoutError as error:
            reason, cause = f"no answer from {address}", error
        except OSError as error:
            reason, cause = f"no connection to {address}", error
        else:
            return connection
    raise CannotConnect(reason) from cause
