"""Both doors, listening."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from everpost.accounts.authenticate import Authenticator
from everpost.delivery.accept import Acceptor
from everpost.delivery.bounces import Bounces
from everpost.delivery.intake.door import Door, Policy
from everpost.delivery.intake.mx import MxPolicy
from everpost.delivery.intake.rate import Limiter, MemoryLimiter, RateLimits
from everpost.delivery.intake.room import Room
from everpost.delivery.intake.serve import serve
from everpost.delivery.intake.submission import SubmissionPolicy
from everpost.delivery.intake.trace import Dates
from everpost.net.listen import Listener, Server
from everpost.net.tls import CertificateFiles, Certificates, self_signed
from everpost.smtp.wire.server import ServerConfig
from tests.delivery.client import Client
from tests.delivery.conftest import House


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(["mx.here.test"], 1_700_000_000)
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    return Certificates([CertificateFiles(folder / "cert.pem", folder / "key.pem")])


class NoSleep:
    async def sleep(self, seconds: float) -> None:
        pass


@dataclass
class Doors:
    """Opens doors and clients to them."""

    house: House
    certificates: Certificates
    stack: AsyncExitStack
    acceptor: Acceptor

    def make(self, name: str, policy: Policy, **more: object) -> Door:
        house = self.house
        config = ServerConfig("mx.here.test", tls_available=True, max_size=1_000_000)
        values: dict[str, object] = {"certificates": self.certificates, "config": config} | more
        return Door(
            name=name,
            policy=policy,
            acceptor=self.acceptor,
            clock=house.clock,
            chance=house.chance,
            dates=Dates(house.clock),
            **values,  # type: ignore[arg-type]
        )

    def mx(self, **more: object) -> Door:
        return self.make("mx", MxPolicy(self.house.router, Room(self.house.database, self.house.clock)), **more)

    def submission(self, limiter: Limiter | None = None, **more: object) -> Door:
        house = self.house
        policy = SubmissionPolicy(
            house.directory,
            house.router,
            Room(house.database, house.clock),
            limiter or MemoryLimiter(RateLimits(), house.clock),
            Dates(house.clock),
            "mx.here.test",
            house.clock,
            house.chance,
        )
        authenticator = Authenticator(house.directory, house.clock, sleeper=NoSleep())
        self.stack.callback(authenticator.close)
        return self.make("submission", policy, authenticator=authenticator, **more)

    async def open(self, door: Door) -> Callable[[], "asyncio.Future[Client]"]:
        """Listen; return what connects."""
        server = Server(lambda connection: serve(door, connection))
        await server.start([Listener("127.0.0.1", 0)])
        self.stack.push_async_callback(server.stop, 1.0)
        port = server.ports[0]

        async def connect() -> Client:
            client = await Client.connect(port)
            self.stack.callback(client.close)
            return client

        return lambda: asyncio.ensure_future(connect())


@pytest.fixture
async def doors(house: House, certificates: Certificates) -> AsyncIterator[Doors]:
    bounces = Bounces(house.router, house.contents, house.clock, house.chance, "mx.here.test")
    acceptor = Acceptor(house.database, house.contents, house.deliverer, bounces, house.feed, house.clock, house.chance)
    async with AsyncExitStack() as stack:
        yield Doors(house, certificates, stack, acceptor)
