"""Starting what is measured, and what it has used."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.servers.node import Node
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer
from tests.servers.processes import cpu_seconds, guarded, tree

ROOT = Path(__file__).parent.parent
LOAD_SECONDS = 600.0


@contextlib.contextmanager
def node(engine: str, workers: int, users: int) -> Iterator[tuple[Node, Callable[[], float]]]:
    """A running node on a durable database, and what tells the CPU-seconds of all its processes so far.

    With PostgreSQL those of the database server count too.
    """
    with contextlib.ExitStack() as stack:
        roots: list[int] = []
        url = None
        if engine == "postgres":
            server = PostgresServer(fsync=True)
            server.start()
            stack.callback(server.stop)
            roots.append(server.pid)
            url = server.create_database()
        started = Node(url, users=users, workers=workers)
        started.start()
        stack.callback(started.stop)
        roots.append(started.pid)
        yield started, lambda: cpu_seconds(pid for root in roots for pid in tree(root))


@contextlib.contextmanager
def sink() -> Iterator[tuple[int, Callable[[], float]]]:
    """The server that throws all away: its port and what tells its CPU-seconds."""
    port = free_port()
    process = subprocess.Popen(
        guarded([sys.executable, "-m", "bench.sink", str(port)]), stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield port, lambda: cpu_seconds([process.pid])
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def load(
    port: int,
    recipients: list[str],
    messages: int,
    *,
    connections: int = 20,
    reuse: int = 10,
    first_number: int = 0,
    used: Callable[[], float] = lambda: 0.0,
) -> dict[str, Any]:
    """Run the generator in a process of its own; its summary, with `cpu_ms` per message of what is measured."""
    arguments = [sys.executable, "-m", "bench.load", "--port", str(port), "--messages", str(messages)]
    arguments += ["--connections", str(connections), "--reuse", str(reuse), "--first-number", str(first_number)]
    for recipient in recipients:
        arguments += ["--recipient", recipient]
    process = subprocess.Popen(guarded(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        # Its messages are ready before the clock starts.
        assert process.stdout.readline() == b"ready\n"
        before = used()
        output, _ = process.communicate(b"\n", timeout=LOAD_SECONDS)
        cpu = used() - before
    finally:
        process.kill()
        process.wait(10)
    assert process.returncode == 0, "the generator failed"
    result: dict[str, Any] = json.loads(output)
    result["cpu_ms"] = round(cpu * 1000 / max(1, result["sent"]), 3)
    return result
