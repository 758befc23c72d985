"""Sending over real sockets to hosts that behave in every way."""

import random
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from everpost.delivery.remote.destination import Destinations, Hop
from everpost.delivery.remote.outcome import Outcome, Result
from everpost.delivery.remote.send import Courier
from everpost.net.tls import client_context, self_signed
from everpost.store.sql.queue import QueueRow
from tests.delivery.fakes import FakeResolver
from tests.delivery.remote.host import FakeHost

RAW = b"Return-Path: <anna@here.test>\r\nReceived: from x\r\nSubject: hi\r\n\r\n.dots\r\nbody\r\n"
ROW = QueueRow(
    1, 1, "waiting", None, None, "far.test", "anna@here.test", "a@far.test", "", "", "", "", "", 0,
    0, 0, 10**15, None, 0, None, "", "worker", 0, 1,
)  # fmt: skip


def group(*recipients: str, **more: object) -> tuple[QueueRow, ...]:
    return tuple(
        replace_row(ROW, queue_id=number, recipient=recipient, **more) for number, recipient in enumerate(recipients, 1)
    )


def replace_row(row: QueueRow, **more: object) -> QueueRow:
    return row._replace(**more)  # type: ignore[arg-type]


@dataclass
class World:
    """Hosts by name; their ports stand in the operator's table, because all share 127.0.0.1."""

    hosts: dict[str, FakeHost]
    resolver: FakeResolver

    def courier(self, *names: str) -> Courier:
        routes = {"far.test": tuple(Hop("127.0.0.1", self.hosts[name].port) for name in names)}
        destinations = Destinations(self.resolver, random.Random(1), routes=routes)
        return Courier(destinations, "mx.here.test", client_context(verify=False), connect_seconds=2.0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World({}, FakeResolver())
    yield world
    for host in world.hosts.values():
        await host.stop()


async def host(world: World, name: str = "mx", **more: object) -> FakeHost:
    made = FakeHost(**more)  # type: ignore[arg-type]
    await made.start()
    world.hosts[name] = made
    return made


async def send(world: World, which: tuple[QueueRow, ...], *names: str, raw: bytes = RAW) -> list[Outcome]:
    outcomes = await world.courier(*(names or world.hosts)).send(which, raw)
    return [outcomes[row.queue_id] for row in which]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(["mx.far.test"], 1_700_000_000)
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_a_message_travels_without_its_return_path(world: World) -> None:
    mx = await host(world)
    (outcome,) = await send(world, group("a@far.test"))
    assert (outcome.result, outcome.reply, outcome.tls) == (Result.DELIVERED, "250 2.6.0 taken", "")
    assert outcome.host == "127.0.0.1 [127.0.0.1]"
    lines, raw = mx.messages[0]
    assert raw == RAW.partition(b"\r\n")[2]
    assert lines == [f"MAIL FROM:<anna@here.test> SIZE={len(raw)}", "RCPT TO:<a@far.test>"]


@pytest.mark.parametrize("pipelining", [True, False])
async def test_each_recipient_has_its_own_outcome(world: World, pipelining: bool) -> None:
    replies = {"RCPT": ["250 ok", "550 5.1.1 nobody", "450 4.2.0 greylisted", "552 5.5.3 too many"]}
    mx = await host(world, replies=replies, offers=("PIPELINING",) if pipelining else ())
    outcomes = await send(world, group("a@far.test", "b@far.test", "c@far.test", "d@far.test"))
    assert [outcome.result for outcome in outcomes] == [Result.DELIVERED, Result.FAILED, Result.LATER, Result.LATER]
    assert [outcome.status for outcome in outcomes] == ["2.6.0", "5.1.1", "4.2.0", "4.5.3"]
    assert len(mx.messages) == 1


@pytest.mark.parametrize(
    ("verb", "reply", "result"),
    [
        ("MAIL", "550 5.7.1 no", Result.FAILED),
        ("MAIL", "451 4.7.1 later", Result.LATER),
        ("DATA", "554 5.7.1 no", Result.FAILED),
        ("DATA", "451 busy", Result.LATER),
        ("end", "554 5.6.0 spam", Result.FAILED),
        ("end", "451 4.3.0 disk", Result.LATER),
        ("end", "421 4.3.2 going", Result.LATER),
        ("greeting", "554 5.7.1 go away", Result.LATER),
        ("greeting", "421 busy", Result.LATER),
        ("EHLO", "550 no", Result.LATER),
    ],
)
async def test_refusals_at_every_stage(world: World, verb: str, reply: str, result: Result) -> None:
    await host(world, replies={verb: [reply]})
    (outcome,) = await send(world, group("a@far.test"))
    assert outcome.result is result
    assert outcome.status[0] == {Result.FAILED: "5", Result.LATER: "4"}[result]


@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "end"])
async def test_a_host_that_hangs_up_is_tried_again_later_or_replaced_by_the_next(world: World, stage: str) -> None:
    await host(world, "bad", drop_at=stage)
    good = await host(world, "good")
    (outcome,) = await send(world, group("a@far.test"), "bad")
    assert outcome.result is Result.LATER
    (outcome,) = await send(world, group("a@far.test"), "bad", "good")
    if stage == "end":
        # It may have been accepted: no second copy at once.
        assert outcome.result is Result.LATER
        assert good.connections == 0
    else:
        assert outcome.result is Result.DELIVERED
        assert len(good.messages) == 1


async def test_hosts_that_cannot_be_reached_are_passed_over(world: World) -> None:
    gone = await host(world, "gone")
    await gone.stop()
    await host(world, "good")
    (outcome,) = await send(world, group("a@far.test"), "gone", "good")
    assert outcome.result is Result.DELIVERED
    (outcome,) = await send(world, group("a@far.test"), "gone")
    assert (outcome.result, outcome.status) == (Result.LATER, "4.4.1")


async def test_a_temporary_answer_is_not_argued_with_at_the_next_host(world: World) -> None:
    await host(world, "first", replies={"RCPT": ["450 greylisted"]})
    second = await host(world, "second")
    (outcome,) = await send(world, group("a@far.test"), "first", "second")
    assert outcome.result is Result.LATER
    assert second.connections == 0


async def test_tls_is_used_where_offered(world: World, tls: ssl.SSLContext) -> None:
    mx = await host(world, tls=tls)
    (outcome,) = await send(world, group("a@far.test"))
    assert outcome.result is Result.DELIVERED
    assert outcome.tls.startswith("TLSv1.3 TLS_")
    assert mx.under_tls == [True]


@pytest.mark.parametrize("refused", [True, False])
async def test_broken_tls_falls_back_to_plain_text(world: World, refused: bool) -> None:
    replies = {"STARTTLS": ["454 4.7.0 not now"]} if refused else {}
    mx = await host(world, broken_tls=True, replies=replies)
    if refused:
        mx.broken_tls, mx.offers = False, (*mx.offers, "STARTTLS")
    (outcome,) = await send(world, group("a@far.test"))
    assert (outcome.result, outcome.tls) == (Result.DELIVERED, "")
    assert mx.under_tls == [False]
    assert mx.connections == (1 if refused else 2)


async def test_wishes_for_notices_are_passed_on_or_noticed(world: World) -> None:
    wishes = {"notify": "FAILURE,SUCCESS", "orcpt": "rfc822;old+x@y.test", "ret": "HDRS", "envid": "id 1"}
    mx = await host(world)
    (outcome,) = await send(world, group("a@far.test", **wishes))
    assert not outcome.relayed
    lines, _ = mx.messages[0]
    assert lines[0].endswith(" RET=HDRS ENVID=id+201")
    assert lines[1] == "RCPT TO:<a@far.test> NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;old+2Bx@y.test"
    mx.offers = ()
    (outcome,) = await send(world, group("a@far.test", **wishes))
    assert outcome.relayed
    assert mx.messages[1][0] == ["MAIL FROM:<anna@here.test>", "RCPT TO:<a@far.test>"]


async def test_a_forwarded_message_is_marked(world: World) -> None:
    mx = await host(world)
    await send(world, group("a@far.test", forwarded_by="fwd@here.test"))
    assert mx.messages[0][1].startswith(b"Delivered-To: fwd@here.test\r\nReceived: ")


@pytest.mark.parametrize(
    ("row", "raw", "needs"),
    [
        ({"recipient": "ä@far.test", "smtputf8": 1}, RAW, True),
        ({"reverse_path": "ä@here.test", "smtputf8": 1}, RAW, True),
        ({"smtputf8": 1}, RAW.replace(b"hi", "hä".encode()), True),
        ({"smtputf8": 1}, RAW, False),
        ({"smtputf8": 1}, RAW + "ä\r\n".encode(), False),
        ({"smtputf8": 0}, RAW.replace(b"hi", b"h\xe4"), False),
        ({"recipient": "a@bücher.test", "smtputf8": 1}, RAW, False),
    ],
)
async def test_smtputf8_is_asked_for_only_where_it_is_needed(
    world: World, row: dict[str, object], raw: bytes, needs: bool
) -> None:
    mx = await host(world, offers=("PIPELINING", "SMTPUTF8", "8BITMIME"))
    entries = (replace_row(ROW, **row),)
    assert (await send(world, entries, raw=raw))[0].result is Result.DELIVERED
    assert ("SMTPUTF8" in mx.messages[0][0][0]) is needs
    mx.offers = ("PIPELINING", "8BITMIME")
    (outcome,) = await send(world, entries, raw=raw)
    assert (outcome.result, outcome.status) == ((Result.FAILED, "5.6.7") if needs else (Result.DELIVERED, "2.6.0"))
    if not needs:
        assert all(line.isascii() for line in mx.messages[1][0])


async def test_a_message_larger_than_the_host_takes_fails_at_once(world: World) -> None:
    await host(world, offers=("SIZE 10",))
    (outcome,) = await send(world, group("a@far.test"))
    assert (outcome.result, outcome.status) == (Result.FAILED, "5.3.4")


@pytest.mark.parametrize(
    ("resolver", "result", "status"),
    [
        (FakeResolver(mx_records={"far.test": [(0, "")]}), Result.FAILED, "5.1.10"),
        (FakeResolver(), Result.FAILED, "5.1.2"),
        (FakeResolver(broken={"far.test"}), Result.LATER, "4.4.3"),
        (FakeResolver(mx_records={"far.test": [(10, "mx.far.test")]}), Result.LATER, "4.4.4"),
    ],
)
async def test_what_the_dns_says(resolver: FakeResolver, result: Result, status: str) -> None:
    courier = Courier(Destinations(resolver, random.Random(1)), "mx.here.test", client_context(verify=False))
    outcomes = await courier.send(group("a@far.test", "b@far.test"), RAW)
    assert [(outcome.result, outcome.status) for outcome in outcomes.values()] == [(result, status)] * 2


async def test_mx_by_name(world: World) -> None:
    mx = await host(world)
    resolver = FakeResolver(
        mx_records={"far.test": [(20, "mx2.far.test"), (10, "mx1.far.test")]},
        addresses={"mx1.far.test": ["127.0.0.9"], "mx2.far.test": ["127.0.0.1"]},
    )
    destinations = Destinations(resolver, random.Random(1), port=mx.port)
    courier = Courier(destinations, "mx.here.test", client_context(verify=False))
    (outcome,) = (await courier.send(group("a@far.test"), RAW)).values()
    assert (outcome.result, outcome.host) == (Result.DELIVERED, "mx2.far.test [127.0.0.1]")
