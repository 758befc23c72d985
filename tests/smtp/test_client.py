"""The client against scripted servers and against our own server's machine, without sockets."""

import asyncio
import ssl
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.net.connection import Connection, ConnectionLost
from everpost.smtp.client import CannotCarry, Interrupted, Outgoing, Rcpt, SmtpClient, Unexpected
from everpost.smtp.wire.client import BadReply
from everpost.smtp.wire.server import ServerConfig
from tests.smtp.scripted import Scripted
from tests.smtp.test_data import MESSAGES
from tests.smtp.wires import Canned, Joined, Wire

ALL = b"250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"
FEW = b"250 mx\r\n"
OPENING: list[bytes | BaseException] = [b"220 mx\r\n", ALL]
RAW = b"Subject: hi\r\n\r\n.dot\r\n"
TLS = b"250-mx\r\n250 STARTTLS\r\n"
ONE = Outgoing("a@example.com", (Rcpt("b@example.org"),), RAW)
TWO = Outgoing("a@example.com", (Rcpt("b@example.org"), Rcpt("c@example.org")), RAW)
CONTEXT = ssl.create_default_context()


def client_on(wire: Wire) -> SmtpClient:
    return SmtpClient(cast(Connection, wire), "client.example")


async def opened(*answers: bytes | BaseException, offers: bytes = ALL) -> tuple[SmtpClient, Canned]:
    wire = Canned(answers=[b"220 mx\r\n", offers, *answers])
    client = client_on(wire)
    await client.open()
    wire.sent.clear()
    return client, wire


# The greeting and hello.


async def test_offers() -> None:
    client, _ = await opened(offers=b"250-mx\r\n250-size\r\n250-auth PLAIN LOGIN\r\n250-AUTH=LOGIN\r\n250 Dsn\r\n")
    assert client.offers == {"SIZE": "", "AUTH": "PLAIN LOGIN", "DSN": ""}


async def test_helo_where_ehlo_is_unknown() -> None:
    wire = Canned(answers=[b"220 mx\r\n", b"500 what?\r\n", b"250 mx\r\n"])
    client = client_on(wire)
    await client.open()
    assert wire.said == b"EHLO client.example\r\nHELO client.example\r\n"
    assert client.offers == {}


@pytest.mark.parametrize("answers", [[b"554 no\r\n"], [b"421 busy\r\n"], [b"220 mx\r\n", b"500 a\r\n", b"500 b\r\n"]])
async def test_a_server_that_serves_nobody(answers: list[bytes | BaseException]) -> None:
    with pytest.raises(Unexpected) as caught:
        await client_on(Canned(answers=answers)).open()
    assert caught.value.reply.code in {554, 421, 500}


@pytest.mark.parametrize("garbage", [b"hello\r\n", b"99 x\r\n", b"\xff" * 70_000, b"220-x\r\n" * 300])
async def test_garbage_is_no_reply(garbage: bytes) -> None:
    with pytest.raises(BadReply):
        await client_on(Canned(answers=[garbage])).open()


async def test_silence_is_a_lost_connection() -> None:
    wire = Canned(answers=[TimeoutError()])
    with pytest.raises(ConnectionLost):
        await client_on(wire).open()
    assert wire.aborted


# One message.


async def test_pipelined_in_one_write() -> None:
    client, wire = await opened(b"250 a\r\n250 b\r\n250 c\r\n354 go\r\n", b"250 2.0.0 kept\r\n")
    result = await client.send(TWO)
    assert wire.sent[0] == (
        b"MAIL FROM:<a@example.com> SIZE=21\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n"
    )
    assert b"".join(wire.sent[1:]) == b"Subject: hi\r\n\r\n..dot\r\n.\r\n"
    assert [str(result.outcome(place)) for place in (0, 1)] == ["250 2.0.0 kept"] * 2


async def test_step_by_step_without_pipelining() -> None:
    client, wire = await opened(
        b"250 a\r\n", b"250 b\r\n", b"550 5.1.1 c\r\n", b"354 go\r\n", b"250 kept\r\n", offers=FEW
    )
    result = await client.send(TWO)
    assert wire.sent[:4] == [
        b"MAIL FROM:<a@example.com>\r\n",
        b"RCPT TO:<b@example.org>\r\n",
        b"RCPT TO:<c@example.org>\r\n",
        b"DATA\r\n",
    ]
    assert [result.outcome(place).code for place in (0, 1)] == [250, 550]


@pytest.mark.parametrize("offers", [ALL, FEW])
async def test_the_content_is_refused(offers: bytes) -> None:
    client, _ = await opened(b"250 a\r\n", b"250 b\r\n", b"354 go\r\n", b"554 5.7.1 spam\r\n", offers=offers)
    result = await client.send(ONE)
    assert str(result.outcome(0)) == "554 5.7.1 spam"
    assert result.end is not None


async def test_pipelined_and_all_recipients_refused() -> None:
    client, wire = await opened(b"250 a\r\n550 5.1.1 b\r\n450 4.2.1 c\r\n", b"554 none\r\n", b"250 reset\r\n")
    result = await client.send(TWO)
    assert [result.outcome(place).code for place in (0, 1)] == [550, 450]
    assert result.end is None
    assert RAW not in wire.said


async def test_pipelined_and_data_wanted_for_nobody() -> None:
    """RFC 2920 section 3.1."""
    again = (b"250 a\r\n550 b\r\n503 c\r\n", b"250 r\r\n")
    client, wire = await opened(b"250 a\r\n550 5.1.1 b\r\n354 go\r\n", b"554 nobody\r\n", *again)
    result = await client.send(ONE)
    assert wire.sent[1] == b".\r\n"
    assert result.outcome(0).code == 550
    # The session can be used further.
    assert (await client.send(ONE)).outcome(0).code == 550


async def test_the_sender_is_refused() -> None:
    client, _ = await opened(b"550 5.7.1 not you\r\n503 b\r\n503 c\r\n503 d\r\n", b"250 reset\r\n")
    result = await client.send(TWO)
    assert [str(result.outcome(place)) for place in (0, 1)] == ["550 5.7.1 not you"] * 2


@pytest.mark.parametrize("offers", [ALL, FEW])
async def test_data_is_refused(offers: bytes) -> None:
    client, _ = await opened(
        b"250 a\r\n", b"250 b\r\n", b"550 5.1.1 c\r\n", b"451 4.3.1 full\r\n", b"250 r\r\n", offers=offers
    )
    result = await client.send(TWO)
    assert [result.outcome(place).code for place in (0, 1)] == [451, 550]


async def test_a_large_message_goes_in_slices() -> None:
    client, wire = await opened(
        b"250 a\r\n250 b\r\n354 go\r\n", b"250 kept\r\n", offers=b"250-mx\r\n250 PIPELINING\r\n"
    )
    raw = b"x" * 78 + b"\r\n"
    await client.send(Outgoing("", (Rcpt("b@example.org"),), raw * 10_000))
    assert len(wire.sent) > 3
    assert b"".join(wire.sent[1:]) == raw * 10_000 + b".\r\n"


# Parameters, and what a server cannot carry.


async def test_parameters() -> None:
    client, wire = await opened(b"250 a\r\n250 b\r\n354 go\r\n", b"250 kept\r\n")
    recipient = Rcpt("ü@example.org", frozenset({"SUCCESS", "DELAY"}), "rfc822;a+b@example.org")
    raw = "Subject: ä\r\n\r\n".encode()
    await client.send(Outgoing("", (recipient,), raw, smtputf8=True, ret="HDRS", envid="q=1"))
    assert wire.sent[0].decode() == (
        "MAIL FROM:<> SIZE=15 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q+3D1\r\n"
        "RCPT TO:<ü@example.org> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;a+2Bb@example.org\r\n"
        "DATA\r\n"
    )


async def test_nothing_is_asked_of_a_server_that_offers_nothing() -> None:
    client, wire = await opened(b"250 a\r\n", b"250 b\r\n", b"354 go\r\n", b"250 kept\r\n", offers=FEW)
    recipient = Rcpt("b@example.org", frozenset({"NEVER"}), "rfc822;b@example.org")
    await client.send(Outgoing("a@example.com", (recipient,), RAW, ret="FULL", envid="q"))
    assert wire.sent[:2] == [b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.org>\r\n"]


@pytest.mark.parametrize(
    ("offers", "message", "status"),
    [
        (ALL, Outgoing("", (Rcpt("b@example.org"),), b"x" * 1001), "5.3.4"),
        (FEW, Outgoing("", (Rcpt("ü@example.org"),), RAW, smtputf8=True), "5.6.7"),
    ],
)
async def test_what_cannot_be_carried_is_not_tried(offers: bytes, message: Outgoing, status: str) -> None:
    client, wire = await opened(offers=offers)
    with pytest.raises(CannotCarry) as caught:
        await client.send(message)
    assert caught.value.status == status
    assert wire.sent == []


# The end of a connection.


@pytest.mark.parametrize("lost", [b"", TimeoutError(), ConnectionLost("gone")])
async def test_lost_before_the_end_of_data_nothing_was_taken(lost: bytes | BaseException) -> None:
    for answers in ([lost], [b"250 a\r\n", lost], [b"250 a\r\n250 b\r\n", lost]):
        client, _ = await opened(*answers)
        with pytest.raises(Interrupted) as caught:
            await client.send(ONE)
        assert not caught.value.outcome_unknown


@pytest.mark.parametrize("lost", [b"", TimeoutError(), ConnectionLost("gone"), b"25"])
async def test_lost_after_the_end_of_data_it_may_have_been_taken(lost: bytes | BaseException) -> None:
    client, _ = await opened(b"250 a\r\n250 b\r\n354 go\r\n", lost, b"")
    with pytest.raises(Interrupted) as caught:
        await client.send(ONE)
    assert caught.value.outcome_unknown


async def test_lost_in_the_content() -> None:
    client, wire = await opened(b"250 a\r\n250 b\r\n354 go\r\n", b"", offers=b"250-mx\r\n250 PIPELINING\r\n")
    wire.drain_fails = True
    with pytest.raises(Interrupted) as caught:
        await client.send(Outgoing("", (Rcpt("b@example.org"),), b"x" * 1_000_000))
    assert not caught.value.outcome_unknown


async def test_a_server_that_closes_interrupts() -> None:
    client, _ = await opened(b"250 a\r\n421 4.3.2 closing\r\n")
    with pytest.raises(Interrupted) as caught:
        await client.send(ONE)
    assert not caught.value.outcome_unknown
    assert "421" in caught.value.text


async def test_quit_never_raises() -> None:
    for answer in (b"221 bye\r\n", b"", b"rubbish\r\n", TimeoutError()):
        client, wire = await opened(answer)
        await client.quit()
        assert wire.said == b"QUIT\r\n"
        assert wire.closed


# TLS and login.


async def test_plain_bytes_behind_the_answer_to_starttls_are_dropped() -> None:
    client, wire = await opened(
        b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n", b"250 mx\r\n", offers=b"250-mx\r\n250 STARTTLS\r\n"
    )
    assert await client.start_tls(CONTEXT, "mx.example")
    assert wire.handshakes == 1
    assert client.offers == {}
    assert wire.said == b"STARTTLS\r\nEHLO client.example\r\n"


@pytest.mark.parametrize(("offers", "answers"), [(FEW, []), (TLS, [b"454 not now\r\n"])])
async def test_no_tls_where_it_is_not_offered_or_refused(offers: bytes, answers: list[bytes]) -> None:
    client, wire = await opened(*answers, offers=offers)
    assert not await client.start_tls(CONTEXT, "mx.example")
    assert wire.handshakes == 0


async def test_login() -> None:
    client, wire = await opened(b"235 2.7.0 welcome\r\n")
    await client.login("user", "secret")
    assert wire.said == b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n"
    client, _ = await opened(b"535 5.7.8 no\r\n")
    with pytest.raises(Unexpected):
        await client.login("user", "secret")


# Client and server, joined.


@settings(max_examples=60)
@given(st.lists(MESSAGES, min_size=1, max_size=3), st.integers(0, 9))
def test_messages_arrive_as_they_were_sent(messages: list[bytes], size: int) -> None:
    async def send_all() -> None:
        session = Scripted.begin(ServerConfig("mx.example", tls_available=True))
        client = client_on(Joined(session=session, size=size))
        await client.open()
        assert await client.start_tls(CONTEXT, "mx.example")
        for message in messages:
            recipients = (Rcpt("b@example.org"), Rcpt("nobody@example.org"), Rcpt("later@example.org"))
            result = await client.send(Outgoing("a@example.com", recipients, message))
            assert [result.outcome(place).code for place in range(3)] == [250, 550, 451]
        await client.quit()
        assert session.messages == messages
        assert session.finished

    asyncio.run(send_all())


async def test_nobody_is_there() -> None:
    session = Scripted.begin(ServerConfig("mx.example"))
    client = client_on(Joined(session=session))
    await client.open()
    for sender, code in (("a@example.com", 550), ("later@example.com", 451), ("nodata@example.com", 550)):
        result = await client.send(Outgoing(sender, (Rcpt("nobody@example.org"),), RAW))
        assert (result.outcome(0).code, result.end) == (code, None)
    result = await client.send(Outgoing("nodata@example.com", (Rcpt("b@example.org"),), RAW))
    assert result.outcome(0).code == 451
    assert (await client.send(ONE)).outcome(0).code == 250
    assert session.messages == [RAW]
