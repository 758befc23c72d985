"""All benches, one table each: what `make bench` prints."""

import argparse
import os

from rich.console import Console
from rich.table import Table

from bench.arrival import arrival
from bench.delivery import ceiling, delivery, median
from bench.imap import BODIES, MESSAGES, reading
from bench.mail import MIX

ENGINES = ("sqlite", "postgres")

_COLUMNS = ("per_second", "cpu_ms", "own_cpu_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")


def _delivery(console: Console, workers: int, messages: int, rounds: int) -> None:
    mix = ", ".join(f"{share} % of {size // 1000} KB" for size, share in MIX)
    table = Table(
        title=f"Delivery by SMTP: {messages} messages ({mix}), 20 connections, {workers} workers, median of {rounds}"
    )
    table.add_column("server")
    table.add_column("messages per connection", justify="right")
    for name in ("messages/s", "server CPU ms/message", "generator CPU ms", "250 after ms: p50", "p95", "p99", "max"):
        table.add_column(name, justify="right")
    for reuse in (10, 1):
        result = median([ceiling(messages, reuse) for _ in range(rounds)])
        table.add_row("sink (throws away)", str(reuse), *(f"{result[column]:g}" for column in _COLUMNS))
        for engine in ENGINES:
            result = median(delivery(engine, workers, messages, reuse, rounds))
            table.add_row(engine, str(reuse), *(f"{result[column]:g}" for column in _COLUMNS))
    console.print(table)


def _reading(console: Console, workers: int, rounds: int) -> None:
    table = Table(title=f"IMAP on {MESSAGES} messages, median of {rounds}; {BODIES} bodies are {BODIES} commands")
    table.add_column("command")
    results = {engine: reading(engine, workers, rounds) for engine in ENGINES}
    for engine in ENGINES:
        table.add_column(f"{engine} ms", justify="right")
        table.add_column("CPU ms", justify="right")
    for name in results[ENGINES[0]]:
        table.add_row(
            name,
            *(f"{results[engine][name][column]:g}" for engine in ENGINES for column in ("ms", "cpu_ms")),
        )
    console.print(table)


def _arrival(console: Console, workers: int) -> None:
    table = Table(title="From the last byte of DATA to EXISTS in an idle IMAP client, one message at a time")
    for name in ("server", "p50 ms", "p99", "max"):
        table.add_column(name)
    for engine in ENGINES:
        table.add_row(engine, *(f"{value:g}" for value in arrival(engine, workers, 500).values()))
    console.print(table)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 160)
    console.print(
        f"{os.cpu_count()} cores; CPU is user and system time of all processes of the server, database included"
    )
    _delivery(console, options.workers, options.messages, options.rounds)
    _arrival(console, options.workers)
    _reading(console, options.workers, options.rounds)


if __name__ == "__main__":
    main()
