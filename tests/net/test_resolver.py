import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from everpost.core.resolver import Answer, Mx, ResolverFailed
from everpost.net import dnswire
from everpost.net.dnswire import Nameserver
from everpost.net.resolver import DnsResolver, system_nameservers
from tests.fakes import FakeClock
from tests.world.dns import DnsServer
from tests.world.loopback import free_address

# One loop is enough: what differs between them is in connections and listeners.
LOOPS = ("uvloop",)


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with DnsServer() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def resolver(dns: DnsServer, clock: FakeClock) -> DnsResolver:
    return DnsResolver([Nameserver(*dns.address)], clock, timeout=0.06)


async def test_every_type(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("a.test", "MX", "20 Backup.a.test.", "10 mx.a.test.", ttl=60)
    dns.add("mx.a.test", "A", "192.0.2.1", "192.0.2.2")
    dns.add("mx.a.test", "AAAA", "2001:DB8::1")
    dns.add("a.test", "TXT", "v=spf1 " + "x" * 300, 'quo"ted\\')
    dns.reverse("192.0.2.1", "mx.a.test")
    dns.reverse("2001:db8::1", "mx6.a.test")
    answer = await resolver.mx("a.test")
    assert set(answer.records) == {Mx(20, "backup.a.test"), Mx(10, "mx.a.test")}
    assert (answer.exists, answer.authenticated, answer.ttl) == (True, False, 60)
    assert set((await resolver.a("MX.a.test.")).records) == {"192.0.2.1", "192.0.2.2"}
    assert (await resolver.aaaa("mx.a.test")).records == ("2001:db8::1",)
    assert set((await resolver.txt("a.test")).records) == {"v=spf1 " + "x" * 300, 'quo"ted\\'}
    assert (await resolver.ptr("192.0.2.1")).records == ("mx.a.test",)
    assert (await resolver.ptr("2001:db8::1")).records == ("mx6.a.test",)


async def test_a_null_mx_is_an_empty_name(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("nomail.test", "MX", "0 .")
    assert (await resolver.mx("nomail.test")).records == (Mx(0, ""),)


async def test_bytes_beyond_ascii_are_latin_1(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("u.test", "TXT", "grüße")
    [text] = (await resolver.txt("u.test")).records
    assert text.encode("latin-1").decode() == "grüße"


async def test_no_name_and_no_record_differ(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("a.test", "A", "192.0.2.1")
    assert await resolver.mx("a.test") == Answer((), True, False, 60)
    assert await resolver.mx("nobody.test") == Answer((), False, False, 60)


@pytest.mark.parametrize("name", ["x" * 64 + ".test", ".".join(["abcdefgh"] * 40), "a..test", "bad\\", ""])
async def test_what_cannot_be_a_name_does_not_exist(dns: DnsServer, resolver: DnsResolver, name: str) -> None:
    assert not (await resolver.a(name)).exists
    assert dns.asked == []


async def test_answers_are_kept_as_long_as_they_say(dns: DnsServer, resolver: DnsResolver, clock: FakeClock) -> None:
    dns.add("a.test", "A", "192.0.2.1", ttl=100)
    for passed, asked, ttl in ((0, 1, 100), (60, 1, 40), (39.5, 1, 0), (1, 2, 100)):
        clock.advance(passed)
        assert (await resolver.a("a.test")).ttl == ttl
        assert dns.count("a.test") == asked


async def test_ttls_are_clamped(dns: DnsServer, resolver: DnsResolver, clock: FakeClock) -> None:
    dns.add("never.test", "A", "192.0.2.1", ttl=0)
    dns.add("ever.test", "A", "192.0.2.1", ttl=2**31 - 1)
    for _ in range(3):
        await resolver.a("never.test")
        await resolver.a("ever.test")
    assert dns.count("never.test") == dns.count("ever.test") == 1
    clock.advance(6)
    await resolver.a("never.test")
    assert dns.count("never.test") == 2
    clock.advance(86400)
    await resolver.a("ever.test")
    assert dns.count("ever.test") == 2


async def test_absence_is_kept_too(dns: DnsServer, resolver: DnsResolver, clock: FakeClock) -> None:
    for _ in range(3):
        await resolver.a("nobody.test")
    assert dns.count("nobody.test") == 1
    clock.advance(61)
    dns.add("nobody.test", "A", "192.0.2.1")
    assert (await resolver.a("nobody.test")).exists
    # Without an SOA record nothing says for how long.
    dns.negative_ttl = None
    await resolver.a("other.test")
    clock.advance(6)
    await resolver.a("other.test")
    assert dns.count("other.test") == 2


@pytest.mark.parametrize("how", ["SERVFAIL", "REFUSED", "silence"])
async def test_failures_are_temporary_and_kept_a_moment(
    dns: DnsServer, resolver: DnsResolver, clock: FakeClock, how: str
) -> None:
    if how == "silence":
        dns.silence("a.test")
    else:
        dns.fail("a.test", how)
    for _ in range(2):
        with pytest.raises(ResolverFailed):
            await resolver.a("a.test")
    assert dns.count("a.test") == 3
    dns.heal("a.test")
    dns.add("a.test", "A", "192.0.2.1")
    clock.advance(6)
    assert (await resolver.a("a.test")).records == ("192.0.2.1",)


async def test_a_lost_question_is_put_again(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("a.test", "A", "192.0.2.1")
    dns.silence("a.test", times=1)
    assert (await resolver.a("a.test")).records == ("192.0.2.1",)


async def test_a_dead_server_costs_time_once(dns: DnsServer, clock: FakeClock) -> None:
    dead = Nameserver(free_address(), dns.port)
    for number in range(10):
        dns.add(f"{number}.test", "A", "192.0.2.1")
    async with DnsServer(port=None) as silent:
        silent.silence("test")
        resolver = DnsResolver([dead, Nameserver(*silent.address), Nameserver(*dns.address)], clock, timeout=0.1)
        for number in range(10):
            assert (await resolver.a(f"{number}.test")).records
        assert len(silent.asked) == 1
        # And when the good one goes, the others are asked again.
        dns.fail("test")
        with pytest.raises(ResolverFailed):
            await resolver.a("10.test")
        assert len(silent.asked) == 2


async def test_without_servers_nothing_is_known(clock: FakeClock) -> None:
    with pytest.raises(ResolverFailed):
        await DnsResolver([], clock).a("a.test")


async def test_what_does_not_fit_comes_by_tcp(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("big.test", "TXT", *(f"{number:04}" * 50 for number in range(40)))
    dns.add("t.test", "A", "192.0.2.1")
    dns.truncate("t.test")
    assert len((await resolver.txt("big.test")).records) == 40
    assert (await resolver.a("t.test")).records == ("192.0.2.1",)
    assert [question.tcp for question in dns.asked] == [False, True, False, True]
    # Well beyond the 512 bytes of old, UDP is enough.
    dns.add("fits.test", "TXT", *(f"{number:04}" * 50 for number in range(5)))
    assert len((await resolver.txt("fits.test")).records) == 5
    assert dns.count("fits.test") == 1


@pytest.mark.parametrize("follow", [True, False])
async def test_aliases_are_followed_whoever_does_it(dns: DnsServer, resolver: DnsResolver, follow: bool) -> None:
    dns.follow = follow
    dns.add("one.test", "CNAME", "two.test.", ttl=20)
    dns.add("two.test", "CNAME", "three.other.", ttl=50)
    dns.add("three.other", "A", "192.0.2.3", ttl=300)
    answer = await resolver.a("one.test")
    assert answer == Answer(("192.0.2.3",), True, False, 20)
    assert len(dns.asked) == (1 if follow else 3)


async def test_aliases_to_nothing(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("gone.test", "CNAME", "nobody.other.")
    dns.add("bare.test", "CNAME", "host.other.")
    dns.add("host.other", "A", "192.0.2.1")
    assert not (await resolver.a("gone.test")).exists
    answer = await resolver.mx("bare.test")
    assert answer.exists and answer.records == ()
    assert dns.count("host.other") == 0


@pytest.mark.parametrize("follow", [True, False])
async def test_aliases_in_a_circle_end(dns: DnsServer, resolver: DnsResolver, follow: bool) -> None:
    dns.follow = follow
    for number in range(10):
        dns.add(f"{number}.test", "CNAME", f"{(number + 1) % 10}.test.")
    with pytest.raises(ResolverFailed):
        await resolver.a("0.test")
    assert len(dns.asked) <= 24


async def test_all_aliases_together_have_a_time_limit(dns: DnsServer, clock: FakeClock) -> None:
    dns.follow = False
    for number in range(10):
        dns.add(f"{number}.test", "CNAME", f"{number + 1}.test.")
    dns.delay("test", 0.08)
    resolver = DnsResolver([Nameserver(*dns.address)], clock, timeout=0.1)
    resolver._attempts = 1
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(ResolverFailed):
        await resolver.a("0.test")
    assert loop.time() - began < 0.4


async def test_ad_counts_only_if_all_of_it_is_authenticated(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.load("signed.test A 192.0.2.1\nhalf.test CNAME plain.test.\nplain.test A 192.0.2.1")
    dns.authenticate("signed.test")
    dns.authenticate("half.test")
    dns.follow = False
    assert (await resolver.a("signed.test")).authenticated
    assert not (await resolver.a("plain.test")).authenticated
    assert not (await resolver.a("half.test")).authenticated


async def test_one_question_for_all_who_ask_at_once(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.add("a.test", "A", "192.0.2.1")
    dns.delay("a.test", 0.03)
    waiting = [asyncio.ensure_future(resolver.a("a.test")) for _ in range(50)]
    await asyncio.sleep(0.01)
    # Who goes away takes the answer from nobody.
    waiting[0].cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {answer.records for answer in answers[1:] if isinstance(answer, Answer)} == {("192.0.2.1",)}
    assert dns.count("a.test") == 1
    await asyncio.sleep(0)
    assert not resolver._asking


async def test_nobody_hears_a_failure_that_nobody_waits_for(
    dns: DnsServer, resolver: DnsResolver, caplog: pytest.LogCaptureFixture
) -> None:
    dns.fail("a.test")
    dns.delay("a.test", 0.01)
    waiting = asyncio.ensure_future(resolver.a("a.test"))
    await asyncio.sleep(0.005)
    waiting.cancel()
    await asyncio.sleep(0.1)
    assert not resolver._asking
    assert caplog.records == []


class _Forger(asyncio.DatagramProtocol):
    """Sends rubbish and answers to other questions before the true answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        import dns.message
        import dns.rrset

        query = dns.message.from_wire(data)
        other = dns.message.make_query("evil.test", "A", id=query.id)
        reply = dns.message.make_response(other)
        reply.answer.append(dns.rrset.from_text("evil.test.", 300, "IN", "A", "6.6.6.6"))
        wrong_id = bytearray(dns.message.make_response(query).to_wire())
        wrong_id[:2] = struct.pack("!H", query.id ^ 1)
        good = dns.message.make_response(query)
        good.answer.append(dns.rrset.from_text(query.question[0].name, 300, "IN", "A", "192.0.2.1"))
        whole = good.to_wire()
        for forged in (b"", b"x", data[:2] + b"\xff" * 40, bytes(wrong_id), reply.to_wire(), whole[:20], data, whole):
            self._transport.sendto(forged, addr)


async def test_forged_and_broken_answers_are_passed_over(clock: FakeClock) -> None:
    host = free_address()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Forger, local_addr=(host, 0))
    port = transport.get_extra_info("sockname")[1]
    resolver = DnsResolver([Nameserver(host, port)], clock, timeout=0.5)
    assert (await resolver.a("a.test")).records == ("192.0.2.1",)
    transport.close()


async def test_ports_and_ids_differ_from_question_to_question(
    dns: DnsServer, resolver: DnsResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[int, int]] = set()
    ports: set[int] = set()
    datagram = dns._datagram

    def note(data: bytes, where: tuple[str, int]) -> None:
        seen.add((where[1], struct.unpack_from("!H", data)[0]))
        ports.add(where[1])
        datagram(data, where)

    monkeypatch.setattr(dns, "_datagram", note)
    assert dns._udp is not None
    dns._udp.close()
    from tests.world.dns import _Datagrams

    await asyncio.sleep(0)
    dns._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(note), local_addr=dns.address
    )
    for number in range(30):
        await resolver.a(f"{number}.test")
    assert len(seen) == 30
    assert len(ports) > 20
    assert len({query_id for _, query_id in seen}) > 25


async def test_no_sockets_are_left(dns: DnsServer, resolver: DnsResolver) -> None:
    dns.silence("s.test")
    dns.truncate("t.test")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        await resolver.a(f"{number}.t.test")
    with pytest.raises(ResolverFailed):
        await resolver.a("s.test")
    await asyncio.sleep(0.02)
    # The TCP server's side of the last connections may linger.
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_the_machine_s_own_servers(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# comment\nsearch a.test\nnameserver 192.0.2.53\nnameserver ::1\nnameserver\noptions ndots:1\n")
    assert system_nameservers(path) == [Nameserver("192.0.2.53", 53), Nameserver("::1", 53)]
    assert system_nameservers(tmp_path / "none") == [Nameserver("127.0.0.1", 53)]


def test_answers_are_asked_for_in_a_size_that_is_not_fragmented() -> None:
    assert dnswire.UDP_BYTES == 1232
