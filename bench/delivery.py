"""What taking a message in costs: SMTP, parse, store, 250. Run as `python -m bench.delivery`."""

import argparse
import imaplib
import json
import statistics
from typing import Any

from bench import measure
from tests.servers.node import PASSWORD, Node

USERS = 20


def ceiling(messages: int, reuse: int) -> dict[str, Any]:
    """The generator against a server that throws all away: what it can do, and what both then cost."""
    with measure.sink() as (port, used):
        measure.load(port, ["nobody@example.test"], messages // 10, reuse=reuse)
        return measure.load(port, ["nobody@example.test"], messages, reuse=reuse, used=used)


def kept(node: Node) -> int:
    """How many messages all accounts hold, as IMAP tells."""
    total = 0
    for number in range(node.users):
        with imaplib.IMAP4("127.0.0.1", node.port("imap"), timeout=60) as client:
            client.login(node.address(number), PASSWORD)
            total += int(client.select("INBOX", readonly=True)[1][0] or b"0")
    return total


def delivery(engine: str, workers: int, messages: int, reuse: int, rounds: int) -> list[dict[str, Any]]:
    """Rounds of deliveries, after one that warms up; fails unless every acknowledged message is there."""
    results = []
    with measure.node(engine, workers, USERS) as (node, used):
        recipients = [node.address(number) for number in range(USERS)]
        warm = max(200, messages // 10)
        sent = measure.load(node.port("smtp"), recipients, warm, reuse=reuse)["sent"]
        for number in range(rounds):
            first = warm + number * messages
            result = measure.load(node.port("smtp"), recipients, messages, reuse=reuse, first_number=first, used=used)
            assert not result["refused"], result["refused"]
            sent += result["sent"]
            results.append(result)
        assert kept(node) == sent, f"{sent} acknowledged, {kept(node)} kept"
    return results


def median(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number of several rounds."""
    return {
        name: statistics.median(result[name] for result in results)
        for name, value in results[0].items()
        if isinstance(value, int | float)
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "sink"), default="sqlite")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--reuse", type=int, default=10, help="messages per connection")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.engine == "sink":
        results = [ceiling(options.messages, options.reuse) for _ in range(options.rounds)]
    else:
        results = delivery(options.engine, options.workers, options.messages, options.reuse, options.rounds)
    for result in results:
        print(json.dumps(result))
    print(json.dumps({"median": median(results)}))


if __name__ == "__main__":
    main()
