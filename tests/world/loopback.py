"""Addresses of 127.0.0.0/8 and ports on them that nobody uses now."""

import random
import socket

from tests.servers.ports import HIGHEST, LOWEST

_CHANCE = random.SystemRandom()


def free_address() -> str:
    """A loopback address of one's own, so that several test runs on one machine do not meet."""
    return f"127.{_CHANCE.randrange(1, 255)}.{_CHANCE.randrange(256)}.{_CHANCE.randrange(1, 255)}"


def is_free(host: str, port: int) -> bool:
    """True if both TCP and UDP can be had."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for TCP and UDP on this address, outside of the range of outgoing connections."""
    for _ in range(1000):
        port = _CHANCE.randrange(LOWEST, HIGHEST)
        if is_free(host, port):
            return port
    raise RuntimeError("no free port")
