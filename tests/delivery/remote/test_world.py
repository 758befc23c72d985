"""The queue against the fake internet: real DNS, real sockets, hosts of every temper."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from everpost.delivery.remote.destination import Destinations
from everpost.delivery.remote.send import Courier
from everpost.net.dnswire import Nameserver
from everpost.net.resolver import DnsResolver
from everpost.net.tls import client_context
from tests.delivery.conftest import House
from tests.delivery.post import RAW, Post
from tests.world.certificates import Authority
from tests.world.dns import DnsServer
from tests.world.loopback import free_address, is_free
from tests.world.remote import RemoteServer


@dataclass
class Internet:
    dns: DnsServer
    authority: Authority
    stack: AsyncExitStack
    post: Post

    async def host(self, domain: str, preference: int = 10, *, tls: bool = True) -> RemoteServer:
        """One more MX of a domain, on an address of its own and the port of all."""
        port = self.dns.port
        address = next(host for host in (free_address() for _ in range(100)) if is_free(host, port))
        name = f"mx{preference}.{domain}"
        context = self.authority.context(name) if tls else None
        remote = await self.stack.enter_async_context(RemoteServer(name, address, port, context))
        self.dns.add(domain, "MX", f"{preference} {name}.")
        self.dns.add(name, "A", address)
        return remote


@pytest.fixture
async def internet(house: House) -> AsyncIterator[Internet]:
    await house.account("anna@here.test")
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(DnsServer())
        resolver = DnsResolver([Nameserver(dns.host, dns.port)], house.clock, timeout=1.0)
        destinations = Destinations(resolver, random.Random(1), port=dns.port)
        courier = Courier(destinations, "mx.here.test", client_context(verify=False), connect_seconds=2.0)
        post = Post(house, courier)
        await stack.enter_async_context(post.running(post.worker()))
        yield Internet(dns, Authority(), stack, post)


async def test_mail_goes_to_the_nearest_host_under_tls(internet: Internet) -> None:
    far = await internet.host("far.test", 20)
    near = await internet.host("far.test", 10)
    await internet.post.put("a@far.test", "b@far.test")
    await internet.post.until_empty()
    (message,) = near.received
    assert message.recipients == ("a@far.test", "b@far.test")
    assert message.reverse_path == "anna@here.test"
    assert message.raw == RAW.partition(b"\r\n")[2]
    assert message.hello == "mx.here.test"
    assert message.tls == "TLSv1.3"
    assert not far.sessions
    assert not near.faults


async def test_the_next_host_serves_when_the_first_is_away(internet: Internet) -> None:
    first = await internet.host("far.test", 10)
    second = await internet.host("far.test", 20)
    await first.stop()
    await internet.post.put("a@far.test")
    await internet.post.until_empty()
    assert len(second.received) == 1


async def test_greylisting_is_waited_out(internet: Internet) -> None:
    remote = await internet.host("far.test")
    remote.answer("RCPT", "451 4.7.1 come back later", times=1)
    await internet.post.put("a@far.test")
    await internet.post.until_value("SELECT attempts FROM queue_entry", 1)
    assert remote.received == []
    internet.post.house.clock.advance(70)
    await internet.post.until_empty()
    assert len(remote.received) == 1
    assert await internet.post.house.mails("anna@here.test") == []


async def test_a_refusal_comes_back_as_a_notice(internet: Internet) -> None:
    remote = await internet.host("far.test")
    remote.answer("RCPT", "550 5.1.1 unknown", when="nobody@")
    await internet.post.put("nobody@far.test", "a@far.test")
    await internet.post.until_empty()
    assert remote.received[0].recipients == ("a@far.test",)
    (notice,) = await internet.post.house.mails("anna@here.test")
    assert b"Final-Recipient: rfc822; nobody@far.test" in notice
    assert b"Diagnostic-Code: smtp; 550 5.1.1 unknown" in notice
    assert b"Remote-MTA: dns; mx10.far.test" in notice


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "STARTTLS", "HANDSHAKE", "MAIL", "RCPT", "DATA", "CONTENT", "END"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_breaks_anywhere_costs_nothing_but_time(
    internet: Internet, step: str, reset: bool
) -> None:
    remote = await internet.host("far.test")
    remote.drop(step, times=1, reset=reset)
    await internet.post.put("a@far.test")
    if step not in {"STARTTLS", "HANDSHAKE"}:
        await internet.post.until_value("SELECT attempts FROM queue_entry", 1)
        internet.post.house.clock.advance(70)
    await internet.post.until_empty()
    (message,) = remote.received
    assert message.tls == ("" if step in {"STARTTLS", "HANDSHAKE"} else "TLSv1.3")
    assert not remote.faults


async def test_a_bad_certificate_does_not_matter_yet(internet: Internet) -> None:
    remote = await internet.host("far.test")
    remote.context = internet.authority.context("other.test", begins=-9, ends=-1)
    await internet.post.put("a@far.test")
    await internet.post.until_empty()
    assert remote.received[0].tls == "TLSv1.3"


async def test_null_mx_fails_at_once(internet: Internet) -> None:
    internet.dns.add("nomail.test", "MX", "0 .")
    await internet.post.put("a@nomail.test")
    await internet.post.until_empty()
    (notice,) = await internet.post.house.mails("anna@here.test")
    assert b"Status: 5.1.10" in notice


async def test_a_failing_dns_is_waited_for_and_an_absent_domain_is_not(internet: Internet) -> None:
    internet.dns.fail("broken.test")
    await internet.post.put("a@broken.test", "b@absent.test")
    await internet.post.until_value("SELECT MIN(attempts) FROM queue_entry", 1)
    await internet.post.until_value("SELECT COUNT(*) FROM queue_entry", 1)
    assert await internet.post.value("SELECT destination FROM queue_entry") == "broken.test"
    (notice,) = await internet.post.house.mails("anna@here.test")
    assert b"b@absent.test" in notice
    assert b"Status: 5.1.2" in notice


async def test_a_host_that_offers_little_gets_plain_commands(internet: Internet) -> None:
    remote = await internet.host("far.test", tls=False)
    remote.withhold("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING")
    await internet.post.put("a@far.test", "b@far.test", notify="SUCCESS,FAILURE")
    await internet.post.until_empty()
    (message,) = remote.received
    assert (message.mail, message.rcpts) == ("", ("", ""))
    assert not remote.faults
    (notice,) = await internet.post.house.mails("anna@here.test")
    assert notice.count(b"Action: relayed") == 2


async def test_few_sessions_at_a_time(internet: Internet) -> None:
    remote = await internet.host("far.test", tls=False)
    remote.delay("MAIL", 0.02)
    for number in range(20):
        await internet.post.put(f"user{number}@far.test", number=number)
    await internet.post.until_empty()
    assert len(remote.received) == 20
    assert 1 < remote.most <= 6
