"""uvicorn inside a worker: on sockets of ours, with the worker's own signals."""

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.applications import Starlette

# What runs at a stop has this long to finish (seconds).
GRACE_SECONDS = 5


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The worker decides when to stop."""
        yield


class HttpServer:
    """Serves an application on some sockets until stopped."""

    def __init__(self, app: Starlette, sockets: Sequence[socket.socket], context: ssl.SSLContext | None = None) -> None:
        """`sockets` are bound, not yet listening; `context` makes it HTTPS."""
        config = uvicorn.Config(
            app,
            loop="none",
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=1000,
            h11_max_incomplete_event_size=16 * 1024,
            # The mail ports' own context: SNI and reloading work the same here.
            ssl_context_factory=None if context is None else lambda _config, _default: context,
        )
        self._server = _Server(config)
        self._sockets = list(sockets)

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=self._sockets)

    def stop(self) -> None:
        """Finish what is running and end."""
        self._server.should_exit = True
