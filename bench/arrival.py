"""How soon an idle IMAP client hears of a message after its last byte. Run as `python -m bench.arrival`."""

import argparse
import json
import smtplib
import time

from bench import measure
from bench.imap import Client
from bench.mail import pool, unique
from tests.servers.node import PASSWORD

SESSIONS = 10


class Idler(Client):
    """A client in IDLE."""

    def idle(self) -> None:
        """Enter IDLE."""
        self.socket.sendall(b"idle IDLE\r\n")
        assert self.socket.recv(4096).startswith(b"+")

    def told(self, count: int) -> float:
        """When the client has heard that there are `count` messages, by time.perf_counter."""
        heard = b""
        while b"* %d EXISTS\r\n" % count not in heard:
            data = self.socket.recv(4096)
            assert data, "the server hung up"
            heard += data
        return time.perf_counter()


def arrival(engine: str, workers: int, messages: int) -> dict[str, float]:
    """Milliseconds from the last byte of DATA to EXISTS, one message at a time, for sessions on any worker."""
    bodies = pool(1)
    with measure.node(engine, workers, SESSIONS) as (node, _):
        idlers = []
        for number in range(SESSIONS):
            idler = Idler(node.port("imap"))
            idler.ask(f"LOGIN {node.address(number)} {PASSWORD}")
            idler.ask("SELECT INBOX")
            idler.idle()
            idlers.append(idler)
        times = []
        for number in range(messages):
            # Each message by a connection of its own, which any worker may get.
            with smtplib.SMTP("127.0.0.1", node.port("smtp"), timeout=30) as client:
                client.ehlo("load.test")
                client.mail("sender@bench.test")
                client.rcpt(node.address(number % SESSIONS))
                client.putcmd("data")
                client.getreply()
                client.send(unique(bodies[number % len(bodies)], number).replace(b"\r\n.", b"\r\n..") + b".\r\n")
                sent = time.perf_counter()
                assert client.getreply()[0] == 250
                times.append((idlers[number % SESSIONS].told(number // SESSIONS + 1) - sent) * 1000)
        for idler in idlers:
            idler.socket.close()
    times.sort()
    return {
        "p50_ms": round(times[len(times) // 2], 2),
        "p99_ms": round(times[int(len(times) * 0.99)], 2),
        "max_ms": round(times[-1], 2),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--messages", type=int, default=500)
    options = parser.parse_args()
    print(json.dumps(arrival(options.engine, options.workers, options.messages)))


if __name__ == "__main__":
    main()
