"""uvicorn inside a worker: on sockets of ours, with the worker's own signals."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.applications import Starlette


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The worker decides when to stop."""
        yield


class HttpServer:
    """Serves an application on some sockets until stopped."""

    def __init__(
        self,
        app: Starlette,
        sockets: Sequence[socket.socket],
        certificate: tuple[str, str] | None = None,
    ) -> None:
        """`certificate` is the paths of certificate and key, for HTTPS."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
            limit_concurrency=1000,
            h11_max_incomplete_event_size=16 * 1024,
            ssl_certfile=certificate[0] if certificate else None,
            ssl_keyfile=certificate[1] if certificate else None,
        )
        self._server = _Server(config)
        self._sockets = list(sockets)

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=self._sockets)

    def stop(self) -> None:
        """Finish what is running and end."""
        self._server.should_exit = True
