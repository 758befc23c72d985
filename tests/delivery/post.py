"""A queue with workers, over any transport."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from everpost.delivery.accept import Acceptor
from everpost.delivery.bounces import Bounces
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.queue.claim import Claims
from everpost.delivery.queue.runner import Limits, Runner, Transport
from everpost.delivery.queue.settle import Settler
from tests.delivery.conftest import House, address

RAW = b"Return-Path: <anna@here.test>\r\nReceived: from x\r\nSubject: hi\r\n\r\nbody\r\n"


@dataclass
class Post:
    """A queue with workers."""

    house: House
    transport: Transport

    async def put(self, *texts: str, sender: str = "anna@here.test", notify: str = "", number: int = 1) -> None:
        bounces = self.bounces()
        house = self.house
        acceptor = Acceptor(
            house.database, house.contents, house.deliverer, bounces, house.feed, house.clock, house.chance
        )
        recipients = [Recipient(address(text), await house.router.route(address(text)), notify) for text in texts]
        who = Sender(address(sender) if sender else None)
        await acceptor.accept(who, recipients, RAW, f"T{number}")

    def bounces(self) -> Bounces:
        house = self.house
        return Bounces(house.router, house.contents, house.clock, house.chance, "mx.here.test")

    def worker(self, name: str = "worker", **limits: int) -> Runner:
        house = self.house
        settler = Settler(
            house.database, house.contents, house.deliverer, house.feed, house.clock, house.chance, self.bounces()
        )
        return Runner(
            house.database,
            house.contents,
            house.feed,
            house.clock,
            Claims(house.database, house.clock, name),
            self.transport,
            settler,
            Limits(**limits),
            poll_seconds=0.02,
            renew_seconds=0.05,
        )

    @asynccontextmanager
    async def running(self, *workers: Runner) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        try:
            yield
        finally:
            await asyncio.gather(*(worker.stop(0.5) for worker in workers))
            async with asyncio.timeout(10):
                await asyncio.gather(*tasks)

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not reached():
                await asyncio.sleep(0.005)

    async def value(self, sql: str) -> object:
        return (await self.house.database.query(sql))[0][0]

    async def until_value(self, sql: str, wanted: object) -> None:
        async with asyncio.timeout(10):
            while await self.value(sql) != wanted:
                await asyncio.sleep(0.005)

    async def until_empty(self) -> None:
        await self.until_value("SELECT COUNT(*) FROM queue_entry", 0)
