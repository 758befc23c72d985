"""Health and metrics over real sockets, with and without TLS; stopping."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from everpost.net.listen import bind
from everpost.net.tls import CertificateFiles, Certificates, self_signed
from everpost.web.kit.app import Health, make_app
from everpost.web.kit.server import HttpServer


@asynccontextmanager
async def served(health: Health, context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, HttpServer]]:
    async def look() -> Health:
        return health

    sock = bind("127.0.0.1", 0, reuse_port=True)
    port = sock.getsockname()[1]
    server = HttpServer(make_app(look, lambda: b"everpost_things_total 5.0\n"), [sock], context)
    running = asyncio.ensure_future(server.run())
    await asyncio.sleep(0.05)
    try:
        yield port, server
    finally:
        server.stop()
        async with asyncio.timeout(10):
            await running


async def get(port: int, page: str, context: ssl.SSLContext | None = None) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(f"GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    status, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status.split()[1]), fields, body


async def test_a_node_that_is_ready() -> None:
    async with served(Health(True)) as (port, _):
        assert (await get(port, "/health/live"))[0] == 200
        status, _, body = await get(port, "/health/ready")
        assert status == 200 and json.loads(body) == {"ready": True}


async def test_a_node_that_is_not_ready_lives_and_says_why() -> None:
    async with served(Health(False, "the database is away")) as (port, _):
        assert (await get(port, "/health/live"))[0] == 200
        status, _, body = await get(port, "/health/ready")
        assert status == 503 and json.loads(body)["why"] == "the database is away"


async def test_metrics_are_prometheus_text_and_the_server_does_not_name_itself() -> None:
    async with served(Health(True)) as (port, _):
        status, fields, body = await get(port, "/metrics")
    assert status == 200 and body == b"everpost_things_total 5.0\n"
    assert fields["content-type"].startswith("text/plain; version=0.0.4")
    assert "server" not in fields


@pytest.mark.parametrize("page", ["/", "/health", "/metrics/x", "/../etc/passwd"])
async def test_there_is_nothing_else(page: str) -> None:
    async with served(Health(True)) as (port, _):
        assert (await get(port, page))[0] == 404


async def test_https_serves_the_certificate_of_the_mail_ports_also_after_a_reload(tmp_path: Path) -> None:
    files = CertificateFiles(tmp_path / "cert.pem", tmp_path / "key.pem")

    def write() -> ssl.SSLContext:
        certificate, key = self_signed(["localhost"], time.time())
        files.certificate.write_bytes(certificate)
        files.key.write_bytes(key)
        trusting = ssl.create_default_context(cadata=certificate.decode())
        trusting.check_hostname = False
        return trusting

    first = write()
    certificates = Certificates([files])
    async with served(Health(True), certificates.context) as (port, _):
        assert (await get(port, "/health/live", first))[0] == 200
        second = write()
        certificates.reload()
        assert (await get(port, "/health/live", second))[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await get(port, "/health/live", first)


async def test_an_idle_client_does_not_hold_up_the_end() -> None:
    async with served(Health(True)) as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    writer.close()
