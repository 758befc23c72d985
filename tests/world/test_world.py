"""The fake internet judged by clients that no one here wrote: smtplib and dnspython's own resolver."""

import smtplib
import ssl
import time
from collections.abc import Callable, Iterator

import dns.exception
import dns.flags
import dns.resolver
import pytest

from tests.world.internet import World

MAIL = b"Subject: hello\r\n\r\n.dot\r\n..dots\r\nend\r\n"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture
def ask(world: World) -> Callable[..., dns.resolver.Answer]:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [world.dns.host]
    resolver.port = world.dns.port
    resolver.lifetime = resolver.timeout = 0.4
    resolver.use_edns(0, 0, 1232)
    return resolver.resolve


def test_dns_answers_every_type(world: World, ask: Callable[..., dns.resolver.Answer]) -> None:
    world.dns.load("a.test MX 10 mx.a.test.\nmx.a.test A 127.1.2.3\nmx.a.test AAAA ::1")
    world.dns.add("a.test", "TXT", 'v="x\\y" ' + "z" * 300)
    world.dns.reverse("127.1.2.3", "mx.a.test")
    assert [str(mx.exchange) for mx in ask("a.test", "MX")] == ["mx.a.test."]
    assert [a.address for a in ask("mx.a.test", "AAAA")] == ["::1"]
    assert b"".join(ask("a.test", "TXT")[0].strings).decode() == 'v="x\\y" ' + "z" * 300
    assert str(ask("3.2.1.127.in-addr.arpa", "PTR")[0]) == "mx.a.test."


def test_dns_knows_what_is_not(world: World, ask: Callable[..., dns.resolver.Answer]) -> None:
    world.dns.add("deep.under.b.test", "A", "127.0.0.1")
    world.dns.add("*.list.test", "A", "127.0.0.2")
    with pytest.raises(dns.resolver.NXDOMAIN):
        ask("nobody.test", "A")
    with pytest.raises(dns.resolver.NoAnswer):
        ask("under.b.test", "A")
    assert ask("4.3.2.1.list.test", "A")[0].address == "127.0.0.2"


def test_dns_fails_as_told(world: World, ask: Callable[..., dns.resolver.Answer]) -> None:
    world.dns.add("www.c.test", "A", "127.0.0.1")
    world.dns.fail("c.test")
    with pytest.raises(dns.resolver.NoNameservers):
        ask("www.c.test", "A")
    world.dns.silence("c.test")
    with pytest.raises(dns.resolver.LifetimeTimeout):
        ask("www.c.test", "A")
    world.dns.heal("c.test")
    assert ask("www.c.test", "A")[0].address == "127.0.0.1"


def test_dns_truncates_and_authenticates(world: World, ask: Callable[..., dns.resolver.Answer]) -> None:
    world.dns.add("d.test", "TXT", *(f"{number:04}" * 60 for number in range(20)))
    world.dns.authenticate("d.test")
    answer = ask("d.test", "TXT")
    assert len(answer) == 20
    assert answer.response.flags & dns.flags.AD
    assert [question.tcp for question in world.dns.asked if question.name == "d.test"] == [False, True]


def test_dns_follows_aliases_or_leaves_them(world: World, ask: Callable[..., dns.resolver.Answer]) -> None:
    world.dns.load("alias.test CNAME e.test.\ne.test A 127.0.0.5")
    assert ask("alias.test", "A")[0].address == "127.0.0.5"
    world.dns.follow = False
    with pytest.raises(dns.resolver.NoAnswer):
        ask("alias.test", "A")
    world.dns.follow = True


def test_mail_comes_as_it_was_sent(world: World) -> None:
    remote = world.remote("friend.test")
    with smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5) as client:
        client.starttls(context=ssl._create_unverified_context())
        client.sendmail("me@me.test", ["a@friend.test", "b@friend.test"], MAIL, ["RET=HDRS"], ["NOTIFY=NEVER"])
    [message] = world.wait(remote, 1)
    assert message.raw == MAIL
    assert message.reverse_path == "me@me.test"
    assert message.recipients == ("a@friend.test", "b@friend.test")
    assert message.mail.split() == [f"size={len(MAIL)}", "RET=HDRS"]
    assert message.rcpts == ("NOTIFY=NEVER", "NOTIFY=NEVER")
    assert message.tls == remote.sessions[0].tls != ""
    assert remote.faults == []


def test_certificates_are_what_they_are_said_to_be(world: World) -> None:
    remote = world.remote("secure.test")
    trusting = world.authority.client_context()

    def verify(context: ssl.SSLContext, name: str = "mx.secure.test") -> None:
        remote.context = context
        with smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5) as client:
            client._host = name  # type: ignore[attr-defined]
            client.starttls(context=trusting)
        assert remote.sessions[-1].server_name == name

    verify(world.authority.context("mx.secure.test"))
    for bad in (
        world.authority.context("mx.other.test"),
        world.authority.context("mx.secure.test", begins=-9, ends=-1),
    ):
        with pytest.raises(ssl.SSLCertVerificationError):
            verify(bad)


def test_a_server_does_as_its_script_says(world: World) -> None:
    remote = world.remote("script.test", tls=False)
    remote.answer("RCPT", "550 5.1.1 nobody\nreally", when="nobody@")
    remote.answer("RCPT", "451 4.7.1 later", skip=1, times=1)
    remote.delay("EHLO", 0.1)
    with smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5) as client:
        began = time.monotonic()
        client.ehlo()
        assert time.monotonic() - began >= 0.09
        assert not client.has_extn("STARTTLS")
        client.mail("me@me.test")
        answers = [client.rcpt(path) for path in ("nobody@x", "a@x", "b@x", "c@x")]
        assert [code for code, _ in answers] == [550, 250, 451, 250]
        assert answers[0][1] == b"5.1.1 nobody\nreally"
    assert remote.sessions[0].commands[-1].upper() == "QUIT"
    remote.forget()
    assert remote.rule("RCPT", "nobody@") is None


@pytest.mark.parametrize("reset", [False, True])
def test_a_server_breaks_off(world: World, reset: bool) -> None:
    remote = world.remote(f"breaks{reset}.test")
    remote.drop("END", times=1, reset=reset)
    remote.drop("CONTENT", skip=1, times=1, reset=reset)
    remote.drop("END", times=1, keep=True, reset=reset)
    for kept in (0, 0, 1):
        client = smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5)
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)), client:
            client.sendmail("me@me.test", "a@x", MAIL)
        assert len(remote.received) == kept


def test_a_client_that_breaks_the_rules_is_noticed(world: World) -> None:
    remote = world.remote("strict.test")
    remote.withhold("PIPELINING", "DSN")
    with smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5) as client:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<me@me.test> RET=HDRS")[0] == 555
        client.send(b"NOOP\r\nNOOP\r\n")
        client.getreply()
        client.getreply()
    assert [fault.split()[0] for fault in remote.faults] == ["a", "pipelined"]


def test_a_server_can_go_and_come_back(world: World) -> None:
    remote = world.remote("away.test")
    world.stop(remote)
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5)
    world.start(remote)
    with smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5) as client:
        assert client.noop()[0] == 250
    assert remote.open <= 1


def test_chunks_are_taken(world: World) -> None:
    remote = world.remote("chunks.test")
    with smtplib.SMTP(remote.host, remote.port, "me.test", timeout=5) as client:
        client.ehlo()
        client.mail("me@me.test")
        client.rcpt("a@chunks.test")
        client.send(b"BDAT 5\r\nabc\r\nBDAT 3 LAST\r\n.\r\n")
        assert [client.getreply()[0], client.getreply()[0]] == [250, 250]
    assert world.wait(remote, 1)[0].raw == b"abc\r\n.\r\n"
