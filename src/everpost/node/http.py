"""The HTTP side of a worker: its sockets, and what it says of its health."""

import asyncio
from collections.abc import Callable

from everpost.net.listen import bind
from everpost.node.parts import Parts
from everpost.node.places import usable
from everpost.store.migrations import missing
from everpost.store.ports import StoreUnavailable
from everpost.web.kit.app import Health, make_app
from everpost.web.kit.server import HttpServer

# An answer to a load balancer must not wait for a database that hangs (seconds).
LOOK_SECONDS = 2.0


def servers_of(parts: Parts, metrics: Callable[[], bytes]) -> list[HttpServer]:
    """HTTP and HTTPS, where they are wanted. Raises OSError if a port cannot be had."""
    settings = parts.settings
    if "web" not in settings.node.roles:
        return []
    app = make_app(lambda: _health(parts), metrics)
    servers = []
    for places, context in ((settings.listen.http, None), (settings.listen.https, parts.certificates.context)):
        sockets = [bind(place.host, place.port, reuse_port=True) for place in usable(places)]
        if sockets:
            servers.append(HttpServer(app, sockets, context))
    return servers


async def _health(parts: Parts) -> Health:
    """Ready: the database answers and has the schema this version needs."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            steps = await missing(parts.database)
    except StoreUnavailable as error:
        return Health(False, error.text)
    except TimeoutError:
        return Health(False, "the database does not answer in time")
    return Health(not steps, "migrations are missing" if steps else "")
