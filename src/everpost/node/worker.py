"""One worker process: `python -m everpost.node.worker SETTINGS NAME`, started and watched by the supervisor.

It says `ready` on the file descriptor EVERPOST_READY_FD, stops with grace on SIGTERM or when its standard
input ends (the supervisor is gone), and reads certificates again on SIGHUP.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from everpost.core.errors import EverpostError
from everpost.core.log import logger
from everpost.net.tls import BadCertificate
from everpost.node import http, logging, numbers
from everpost.node.jobs import upkeep
from everpost.node.parts import Parts, build, runner_of
from everpost.node.services import Service, services_of
from everpost.node.settings.model import Settings
from everpost.node.settings.read import load
from everpost.store.open import open_relay
from everpost.store.ports import StoreUnavailable
from everpost.web.kit.server import HttpServer

log = logger("node")

# Sessions in the midst of a message have this long to finish after SIGTERM (seconds); less than the supervisor waits.
GRACE_SECONDS = 20.0
# Background work that failed is begun again after this (seconds).
AGAIN_SECONDS = 5.0


def main() -> None:
    """Run a worker to its end."""
    path, name = Path(sys.argv[1]), sys.argv[2]
    settings = load(path)
    logging.configure(settings.log.format, settings.log.level, name)
    _allow_many_files()
    try:
        uvloop.run(_run(settings, name))
    except (EverpostError, OSError) as error:
        log.error("worker.failed", reason=str(error), cause=str(error.__cause__) if error.__cause__ else None)
        sys.exit(1)


def _allow_many_files() -> None:
    """Every connection needs one; the usual soft limit of 1024 is meant for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(settings: Settings, name: str) -> None:
    """Raises EverpostError, OSError if it cannot start."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, stopping.set)
    _watch_supervisor(stopping.set)
    parts = await build(settings, name, settings.node.run_dir)
    try:
        loop.add_signal_handler(signal.SIGHUP, _reload, parts)
        services = services_of(parts)
        servers = http.servers_of(parts, numbers.collect)
        for service in services:
            await service.server.start(service.listeners, reuse_port=True)
        await _work(parts, services, servers, stopping)
    finally:
        await parts.close()
    log.info("worker.stopped")


async def _work(
    parts: Parts, services: Sequence[Service], servers: Sequence[HttpServer], stopping: asyncio.Event
) -> None:
    """Everything that runs until `stopping`, and its clean end."""
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(_always(work)) for work in _background(parts)]
        serving = [tasks.create_task(server.run()) for server in servers]
        runner = runner_of(parts) if "outbound" in parts.settings.node.roles else None
        running = None if runner is None else tasks.create_task(runner.run())
        # What is there now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        _say_ready()
        log.info("worker.ready", services=[service.server.name for service in services])
        await stopping.wait()
        log.info("worker.stopping")
        for server in servers:
            server.stop()
        ends = [_stop(service) for service in services]
        if runner is not None:
            ends.append(runner.stop(GRACE_SECONDS))
        await asyncio.gather(*ends)
        if running is not None:
            # It gives its leases back.
            await running
        if serving:
            await asyncio.wait(serving, timeout=GRACE_SECONDS)
        for task in (*background, *serving):
            task.cancel()


async def _stop(service: Service) -> None:
    """No new sessions; those there are end by themselves, or are cut after the grace."""
    service.server.close()
    service.close()
    await service.server.stop(GRACE_SECONDS)


def _background(parts: Parts) -> list[Callable[[], Awaitable[None]]]:
    """What runs beside the services."""
    works: list[Callable[[], Awaitable[None]]] = []
    relay = open_relay(parts.settings.database_url, parts.settings.node_name, parts.feed.receive)
    if relay is not None:
        parts.feed.relay = relay
        works.append(relay.run)
    if "jobs" in parts.settings.node.roles:
        works.append(lambda: upkeep(parts))
    return works


async def _always(work: Callable[[], Awaitable[None]]) -> None:
    """Run something that should never end; a fault of ours in it must not take the worker along."""
    while True:
        try:
            await work()
        except StoreUnavailable as error:
            log.warning("work.postponed", reason=error.text)
        except Exception:
            log.exception("work.broken")
        await asyncio.sleep(AGAIN_SECONDS)


def _reload(parts: Parts) -> None:
    """SIGHUP: certificates. For other settings the supervisor starts new workers."""
    try:
        parts.certificates.reload()
        log.info("certificates.reloaded", until=parts.certificates.not_after.isoformat())
    except BadCertificate as error:
        log.error("certificates.refused", reason=error.text)


def _watch_supervisor(gone: Callable[[], None]) -> None:
    """Standard input is a pipe from the supervisor that never says anything: its end is the supervisor's."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(0, 1):
            loop.remove_reader(0)
            gone()

    # Started by hand from a terminal or with /dev/null: nobody to watch.
    with contextlib.suppress(OSError, ValueError):
        if not os.isatty(0):
            loop.add_reader(0, read)


def _say_ready() -> None:
    number = os.environ.get("EVERPOST_READY_FD")
    if number is not None:
        with contextlib.suppress(OSError):
            os.write(int(number), b"ready\n")
            os.close(int(number))


if __name__ == "__main__":
    main()
