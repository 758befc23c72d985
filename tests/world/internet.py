"""The whole of it for tests without asyncio: DNS and mail servers in a thread with its own event loop."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.world.certificates import Authority
from tests.world.dns import DnsServer
from tests.world.loopback import free_address, is_free
from tests.world.remote import Received, RemoteServer

T = TypeVar("T")


class World:
    """`with World() as world:`; everything of its servers may be read and changed from the test's own thread.

    All mail servers listen on one port (`smtp_port`) of addresses of their own, as on the real internet, where
    that port is 25.
    """

    def __init__(self) -> None:
        self.dns = DnsServer()
        self.authority = Authority()
        self.smtp_port = self.dns.port
        self.remotes: dict[str, RemoteServer] = {}
        """By domain."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="world", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self.dns.start())
        return self

    def __exit__(self, *_: object) -> None:
        for remote in self.remotes.values():
            self._run(remote.stop())
        self._run(self.dns.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    def remote(self, domain: str, *, tls: bool = True) -> RemoteServer:
        """A mail server `mx.<domain>` with MX, A and PTR records and, if `tls`, a certificate of `authority`."""
        name = f"mx.{domain}"
        host = next(host for host in (free_address() for _ in range(100)) if is_free(host, self.smtp_port))
        context = self.authority.context(name) if tls else None
        remote = RemoteServer(name, host, self.smtp_port, context)
        self._run(remote.start())
        self.dns.add(domain, "MX", f"10 {name}.")
        self.dns.add(name, "A", host)
        self.dns.reverse(host, name)
        self.remotes[domain] = remote
        return remote

    def stop(self, remote: RemoteServer) -> None:
        """The server goes away: connections to it are refused."""
        self._run(remote.stop())

    def start(self, remote: RemoteServer) -> None:
        """It is back."""
        self._run(remote.start())

    def wait(self, remote: RemoteServer, count: int, timeout: float = 20.0) -> list[Received]:
        """All messages received by it, as soon as they are `count`. Raises AssertionError."""
        end = time.monotonic() + timeout
        while len(remote.received) < count:
            assert time.monotonic() < end, f"{len(remote.received)} of {count} messages came to {remote.hostname}"
            time.sleep(0.01)
        return remote.received

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30.0)
