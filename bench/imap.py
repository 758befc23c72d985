"""What reading costs on a mailbox of 10,000 messages. Run as `python -m bench.imap`."""

import argparse
import json
import random
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench import measure
from tests.servers.node import PASSWORD

MESSAGES = 10_000
BODIES = 500


class Client:
    """An IMAP client that only counts: a raw socket, one command at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = 0
        self._until(b"* OK")

    def _until(self, beginning: bytes) -> bytes:
        """Read until the last line is complete and begins so."""
        pieces: list[bytes] = []
        tail = b"\r\n"
        while True:
            data = self.socket.recv(1 << 18)
            assert data, "the server hung up"
            pieces.append(data)
            tail = (tail + data)[-4096:]
            if tail.endswith(b"\r\n") and tail[tail.rfind(b"\r\n", 0, -2) + 2 :].startswith(beginning):
                return b"".join(pieces)

    def ask(self, command: str) -> bytes:
        """Send a command, read the whole answer. Raises AssertionError unless it is OK."""
        self.number += 1
        tag = b"t%d" % self.number
        self.socket.sendall(tag + b" " + command.encode() + b"\r\n")
        answer = self._until(tag + b" ")
        last = answer.removesuffix(b"\r\n").rpartition(b"\r\n")[2]
        assert last.startswith(tag + b" OK"), last
        return answer

    def close(self) -> None:
        """Say goodbye."""
        self.ask("LOGOUT")
        self.socket.close()


def _steps(client: Client, chance: random.Random) -> dict[str, Callable[[], None]]:
    def fetch(items: str) -> Callable[[], None]:
        def run() -> None:
            answer = client.ask(f"FETCH 1:* ({items})")
            assert answer.count(b" FETCH (") >= MESSAGES, answer[:200]

        return run

    def bodies() -> None:
        for _ in range(BODIES):
            assert b"BODY[]" in client.ask(f"FETCH {chance.randrange(1, MESSAGES + 1)} (UID BODY.PEEK[])")

    def select() -> None:
        assert b"* %d EXISTS" % MESSAGES in client.ask("SELECT INBOX")

    def found(criteria: str) -> Callable[[], None]:
        def run() -> None:
            assert b"SEARCH" in client.ask(f"UID SEARCH {criteria}")

        return run

    def mark() -> None:
        client.ask("STORE 1:1000 +FLAGS.SILENT (\\Seen)")

    return {
        "SELECT": select,
        "FETCH 1:* (UID FLAGS)": fetch("UID FLAGS"),
        "FETCH 1:* (ENVELOPE)": fetch("ENVELOPE"),
        "FETCH 1:* (BODYSTRUCTURE)": fetch("BODYSTRUCTURE"),
        "FETCH 1:* (header fields)": fetch(
            "UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (From To Cc Subject Date Message-ID)]"
        ),
        f"{BODIES} bodies, one by one": bodies,
        "UID SEARCH UNSEEN": found("UNSEEN"),
        "UID SEARCH SUBJECT": found("SUBJECT nosuchword"),
        "STORE 1:1000 +FLAGS": mark,
    }


def reading(engine: str, workers: int, rounds: int) -> dict[str, dict[str, float]]:
    """Per command: median milliseconds until the whole answer was read, and CPU milliseconds of the server."""
    with measure.node(engine, workers, 1) as (node, used):
        filled = measure.load(node.port("smtp"), [node.address(0)], MESSAGES)
        assert filled["sent"] == MESSAGES, filled
        times: dict[str, list[tuple[float, float]]] = {}
        for number in range(rounds):
            client = Client(node.port("imap"))
            client.ask(f"LOGIN {node.address(0)} {PASSWORD}")
            for name, step in _steps(client, random.Random(number)).items():
                cpu, began = used(), time.perf_counter()
                step()
                taken = time.perf_counter() - began
                times.setdefault(name, []).append((taken * 1000, (used() - cpu) * 1000))
            client.close()
    return {
        name: {
            "ms": round(statistics.median(taken for taken, _ in pairs), 1),
            "cpu_ms": round(statistics.median(cpu for _, cpu in pairs), 1),
        }
        for name, pairs in times.items()
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, Any] = reading(options.engine, options.workers, options.rounds)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
