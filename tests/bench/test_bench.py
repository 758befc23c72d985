"""The benches' own tools: mail that is sound, a generator that counts right."""

import asyncio
import email

import pytest

from bench.load import Load, summary
from bench.mail import MIX, Body, pool, unique
from bench.sink import Sink


def test_made_up_mail_is_sound_and_has_the_sizes_promised() -> None:
    bodies = pool(3)
    assert bodies == pool(3)
    assert bodies != pool(4)
    sizes = sorted(len(unique(body, 1)) for body in bodies)
    expected = sorted(size for size, share in MIX for _ in range(len(bodies) * share // 100))
    for size, wanted in zip(sizes, expected, strict=True):
        assert 0.85 * wanted < size < 1.15 * wanted
    for number, body in enumerate(bodies):
        raw = unique(body, number)
        lines = raw.split(b"\r\n")
        assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in lines)
        message = email.message_from_bytes(raw)
        assert not any(part.defects for part in message.walk())
        assert message["Message-ID"] == f"<{number:016x}@bench.test>"


class Counting(Sink):
    """A sink that keeps what it got, and refuses some."""

    got: list[bytes]
    refuse: bytes = b"nobody"

    def data_received(self, data: bytes) -> None:
        if self.in_data:
            self.got.append(data)
        if self.refuse in data and not self.in_data:
            self.transport.write(b"250 2.1.0 ok\r\n550 5.1.1 no\r\n503 5.5.1 no\r\n")  # type: ignore[attr-defined]
            return
        super().data_received(data)


async def run(recipients: list[str], bodies: list[Body], messages: int) -> tuple[dict[str, object], bytes]:
    got: list[bytes] = []

    class Here(Counting):
        pass

    Here.got = got
    server = await asyncio.get_running_loop().create_server(Here, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    load = Load(("127.0.0.1", port), recipients, bodies, messages=messages, connections=3, reuse=4)
    result = await asyncio.to_thread(load.run)
    server.close()
    return summary(result), b"".join(got)


async def test_the_generator_sends_each_message_once() -> None:
    bodies = [Body(b"Subject: a\r\n", b"text\r\n.dot\r\n"), Body(b"Subject: b\r\n", b"x" * 200_000 + b"\r\n")]
    result, got = await run(["a@example.test"], bodies, 50)
    assert result["sent"] == 50
    assert result["refused"] == {}
    assert all(got.count(b"Message-ID: <%016x@bench.test>" % number) == 1 for number in range(50))
    assert got.count(b"\r\n..dot\r\n") == 25
    assert result["bytes"] == len(got)


async def test_the_generator_counts_what_was_refused() -> None:
    result, _ = await run(["a@example.test", "nobody@example.test"], [Body(b"Subject: a\r\n", b"text\r\n")], 10)
    refused = result["refused"]
    assert isinstance(refused, dict)
    assert refused.get("550 5.1.1 no", 0) > 0
    assert result["sent"] == 10 - refused["550 5.1.1 no"]


def test_the_generator_says_when_nobody_is_there() -> None:
    load = Load(("127.0.0.1", 1), ["a@example.test"], [Body(b"", b"")], messages=1, connections=1, reuse=1)
    with pytest.raises(ConnectionRefusedError):
        load.run()
