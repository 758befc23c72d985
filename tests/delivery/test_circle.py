"""The whole way: taken in at the MX door, forwarded through the queue, coming back in a circle, and told."""

import asyncio
import random

from everpost.delivery.intake.serve import serve
from everpost.delivery.queue.claim import Claims
from everpost.delivery.queue.runner import Runner
from everpost.delivery.queue.settle import Settler
from everpost.delivery.remote.destination import Destinations, Hop
from everpost.delivery.remote.send import Courier
from everpost.net.listen import Listener, Server
from everpost.net.tls import client_context
from tests.delivery.client import Client
from tests.delivery.conftest import House, address
from tests.delivery.fakes import FakeResolver
from tests.delivery.intake.conftest import Doors, certificates, doors

__all__ = ["certificates", "doors"]


async def test_a_circle_of_forwards_ends_with_a_notice(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    # far.test, which forwards everything back, is this same door in another's clothes.
    await house.directory.add_domain("also.test")
    await house.directory.add_address(address("fwd@here.test"), [address("back@far.test"), address("anna@here.test")])
    door = doors.mx()
    server = Server(lambda connection: serve(door, connection))
    await server.start([Listener("127.0.0.1", 0)])
    port = server.ports[0]

    class Forwarding(Courier):
        """Sends what is for back@far.test to fwd@here.test, as far.test would."""

        async def send(self, rows, raw):  # type: ignore[no-untyped-def]
            back = [row._replace(recipient="fwd@here.test", notify="NEVER") for row in rows]
            return await super().send(back, raw)

    routes = {"far.test": (Hop("127.0.0.1", port),)}
    courier = Forwarding(
        Destinations(FakeResolver(), random.Random(1), routes=routes), "far.test", client_context(verify=False)
    )
    acceptor = doors.acceptor
    runner = Runner(
        house.database,
        house.contents,
        house.feed,
        house.clock,
        Claims(house.database, house.clock, "worker"),
        courier,
        Settler(
            house.database,
            house.contents,
            house.deliverer,
            house.feed,
            house.clock,
            house.chance,
            acceptor.bounces,
        ),
        poll_seconds=0.02,
    )
    running = asyncio.create_task(runner.run())
    client = await Client.connect(port)
    await client.greet()
    await client.mail("anna@here.test", "fwd@here.test")
    assert (await client.data(b"From: anna@here.test\r\nSubject: round\r\n\r\nbody\r\n")).startswith("250")
    async with asyncio.timeout(10):
        while len(await house.mails("anna@here.test")) < 2:
            await asyncio.sleep(0.02)
    await runner.stop(1.0)
    await running
    await server.stop(1.0)
    client.close()
    kept, notice = await house.mails("anna@here.test")
    assert b"Subject: round" in kept
    assert b"Status: 5.4.6" in notice
    assert b"Final-Recipient: rfc822; fwd@here.test" in notice
    rows = await house.database.query("SELECT COUNT(*) FROM queue_entry")
    assert rows[0][0] == 0
