"""One worker process: `python -m everpost.node.worker SETTINGS NAME`, started and watched by the supervisor.

It says `ready` on the file descriptor EVERPOST_READY_FD, stops with grace on SIGTERM or when its standard
input ends (the supervisor is gone), and reads certificates again on SIGHUP.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry, generate_latest, multiprocess

from everpost.core.errors import EverpostError
from everpost.core.log import logger
from everpost.mailbox.upkeep import collect_orphans, prune_tombstones
from everpost.net.tls import BadCertificate
from everpost.node import http, logging
from everpost.node.parts import Parts, build, runner_of
from everpost.node.services import Service, services_of
from everpost.node.settings.model import Settings
from everpost.node.settings.read import load
from everpost.store.open import open_relay
from everpost.store.ports import StoreUnavailable

log = logger("node")

# Sessions in the midst of a message have this long to finish after SIGTERM (seconds).
GRACE_SECONDS = 20.0
UPKEEP_SECONDS = 3600.0


def main() -> None:
    """Run a worker to its end."""
    path, name = Path(sys.argv[1]), sys.argv[2]
    settings = load(path)
    logging.configure(settings.log.format, settings.log.level, name)
    try:
        uvloop.run(_run(settings, path, name))
    except (EverpostError, OSError) as error:
        log.error("worker.failed", reason=str(error))
        sys.exit(1)


async def _run(settings: Settings, path: Path, name: str) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, stopping.set)
    _watch_supervisor(stopping.set)
    parts = await build(settings, name, settings.node.run_dir)
    loop.add_signal_handler(signal.SIGHUP, _reload, parts, path)
    services = services_of(parts)
    try:
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(_always(work)) for work in _background(parts)]
            runner = runner_of(parts) if "outbound" in settings.node.roles else None
            running = tasks.create_task(runner.run()) if runner is not None else None
            for service in services:
                await service.server.start(service.listeners, reuse_port=True)
            servers = http.servers_of(parts, _metrics)
            serving = [tasks.create_task(server.run()) for server in servers]
            _say_ready()
            log.info("worker.ready", services=[service.server.name for service in services])
            await stopping.wait()
            log.info("worker.stopping")
            for server in servers:
                server.stop()
            await _stop(services)
            if runner is not None and running is not None:
                await runner.stop(GRACE_SECONDS)
                await running
            for task in (*background, *serving):
                task.cancel()
    finally:
        await parts.close()
    log.info("worker.stopped")


async def _stop(services: list[Service]) -> None:
    """No new sessions; those there are end by themselves, or are cut after the grace."""
    for service in services:
        service.server.close()
        service.close()
    await asyncio.gather(*(service.server.stop(GRACE_SECONDS) for service in services))


def _background(parts: Parts) -> list[Callable[[], Awaitable[None]]]:
    """What runs beside the services."""
    works: list[Callable[[], Awaitable[None]]] = []
    relay = open_relay(parts.settings.database_url, parts.settings.node_name, parts.feed.receive)
    if relay is not None:
        parts.feed.relay = relay
        works.append(relay.run)
    if "jobs" in parts.settings.node.roles:
        works.append(lambda: _upkeep(parts))
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
        await asyncio.sleep(5.0)


async def _upkeep(parts: Parts) -> None:
    """Once an hour, by one worker of the cluster."""
    while True:
        await asyncio.sleep(parts.chance.uniform(60.0, 300.0))
        lease = await parts.leases.acquire("upkeep", UPKEEP_SECONDS)
        if lease is not None:
            # The lease is kept to its end: that is what makes it once an hour.
            await prune_tombstones(parts.database, parts.clock)
            await collect_orphans(parts.database, parts.blobs, parts.clock)


def _reload(parts: Parts, path: Path) -> None:
    """SIGHUP: certificates and what of the settings can change while running."""
    try:
        parts.certificates.reload()
        settings = load(path)
        logging.configure(settings.log.format, settings.log.level, parts.worker.split("/")[1])
        log.info("settings.reloaded")
    except (BadCertificate, EverpostError) as error:
        log.error("settings.refused", reason=str(error))


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


def _metrics() -> bytes:
    """The sum over the node's workers."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


if __name__ == "__main__":
    main()
