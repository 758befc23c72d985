"""TCP ports on loopback that nobody uses now."""

import random
import socket
from collections.abc import Sequence

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes one in between.
LOWEST = 11_000
HIGHEST = 30_000


def is_free(port: int) -> bool:
    """True if nothing listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections linger in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_base(offsets: Sequence[int]) -> int:
    """A base port such that base + each offset is free."""
    chance = random.SystemRandom()
    for _ in range(1000):
        base = chance.randrange(LOWEST, HIGHEST)
        if all(is_free(base + offset) for offset in offsets):
            return base
    raise RuntimeError("no free ports")


def free_port() -> int:
    """One free port."""
    return free_base((0,))
