"""The client with servers that close early, answer nonsense, drip, or take few recipients at a time."""

import pytest

from everpost.net.connection import ConnectionLost
from everpost.smtp.client import CannotCarry, Interrupted, Outgoing, Rcpt, SmtpClient, Unexpected
from everpost.smtp.wire.client import BadReply, limit
from tests.smtp.test_client import ALL, FEW, ONE, RAW, TWO, client_on, opened
from tests.smtp.test_reply import read
from tests.smtp.wires import Canned

GO = b"250 a\r\n250 b\r\n354 go\r\n"


@pytest.mark.parametrize("offers", [ALL, FEW])
@pytest.mark.parametrize("end", [b"", b"rubbish\r\n", ConnectionLost("gone"), b"421 bye\r\n"])
async def test_a_refusal_counts_even_if_the_server_closes_after_it(offers: bytes, end: bytes | BaseException) -> None:
    # The end takes the place of the answer to RSET.
    for answers in (
        [b"250 a\r\n", b"550 5.1.1 b\r\n", b"554 c\r\n", end],
        [b"550 5.1.1 a\r\n", b"503 b\r\n", b"503 c\r\n", end],
    ):
        kept = (
            answers
            if offers is ALL
            else [answer for answer in answers if answer not in {b"554 c\r\n", b"503 b\r\n", b"503 c\r\n"}]
        )
        client, _ = await opened(*kept, offers=offers)
        assert (await client.send(ONE)).outcome(0).status == "5.1.1"


@pytest.mark.parametrize("end", [b"", b"rubbish\r\n", ConnectionLost("gone"), b"421 bye\r\n"])
async def test_a_refusal_counts_even_if_the_rest_is_not_answered(end: bytes | BaseException) -> None:
    client, wire = await opened(b"550 5.7.1 not you\r\n", end)
    result = await client.send(TWO)
    assert [result.outcome(place).status for place in (0, 1)] == ["5.7.1", "5.7.1"]
    assert wire.aborted
    client, _ = await opened(b"250 a\r\n550 5.1.1 b\r\n451 4.3.0 c\r\n", end)
    result = await client.send(TWO)
    assert [result.outcome(place).status for place in (0, 1)] == ["5.1.1", "4.3.0"]


@pytest.mark.parametrize("replies", [b"250 a\r\n550 b\r\n", b"250 a\r\n250 b\r\n550 c\r\n"])
async def test_what_was_not_answered_is_not_made_up(replies: bytes) -> None:
    client, _ = await opened(replies, b"")
    with pytest.raises(Interrupted) as caught:
        await client.send(TWO)
    assert not caught.value.outcome_unknown


async def test_nonsense_after_the_end_of_data_may_mean_yes() -> None:
    client, _ = await opened(GO, b"ok\r\n")
    with pytest.raises(Interrupted) as caught:
        await client.send(ONE)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_a_refusal_before_the_end_of_data_is_heard(size: int) -> None:
    message = Outgoing("", (Rcpt("b@example.org"),), b"x" * size + b"\r\n")
    offers = b"250-mx\r\n250 PIPELINING\r\n"
    for words, code in ((b"552 5.3.4 too large\r\n", 552), (b"421 bye\r\n", 421)):
        client, wire = await opened(GO, words, offers=offers)
        wire.drain_fails = True
        assert (await client.send(message)).outcome(0).code == code
    for words in (b"250 fine\r\n", b"rubbish\r\n", b""):
        client, wire = await opened(GO, words, offers=offers)
        wire.drain_fails = True
        with pytest.raises(Interrupted) as caught:
            await client.send(message)
        # The small one went out with its end.
        assert caught.value.outcome_unknown == (size == 10)


@pytest.mark.parametrize("raw", [b"a\n.\nb\r\n", b"a\rb\r\n", b"a\r\n\r"])
async def test_a_message_that_smuggles_is_not_sent(raw: bytes) -> None:
    client, wire = await opened()
    with pytest.raises(CannotCarry) as caught:
        await client.send(Outgoing("a@example.com", (Rcpt("b@example.org"),), raw))
    assert caught.value.status == "5.6.0"
    assert wire.sent == []


async def test_no_more_recipients_than_the_server_takes() -> None:
    offers = b"250-mx\r\n250-PIPELINING\r\n250 LIMITS MAILMAX=5 RCPTMAX=1\r\n"
    client, wire = await opened(GO, b"250 kept\r\n", offers=offers)
    result = await client.send(TWO)
    assert wire.sent[0].count(b"RCPT TO:") == 1
    assert [result.outcome(place).code for place in (0, 1)] == [250, 452]


@pytest.mark.parametrize(
    ("text", "most"), [("RCPTMAX=7", 7), ("rcptmax=7 X=1", 7), ("RCPTMAX=0", None), ("RCPTMAX=x", None), ("", None)]
)
def test_limits(text: str, most: int | None) -> None:
    assert limit({"LIMITS": text}, "RCPTMAX") == most


@pytest.mark.parametrize("reply", [b"421 4.3.2 bye\r\n", b"450 later\r\n"])
async def test_a_server_that_is_busy_is_not_asked_twice(reply: bytes) -> None:
    wire = Canned(answers=[b"220 mx\r\n", reply])
    with pytest.raises(Unexpected):
        await client_on(wire).open()
    assert wire.said == b"EHLO client.example\r\n"


class Dripping(Canned):
    """One byte a minute."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def receive(self, timeout: float) -> bytes | None:
        self.now += 60.0
        return await super().receive(timeout)


async def test_a_server_that_drips_has_no_more_time_than_a_silent_one() -> None:
    wire = Dripping(answers=[b"2"] * 1000)
    client: SmtpClient = client_on(wire)
    client.clock = wire  # type: ignore[assignment]
    with pytest.raises(ConnectionLost):
        await client.open()
    assert wire.aborted
    assert wire.now == 300.0


@pytest.mark.parametrize("data", [b"250_x\r\n", b"2500\r\n", b"250x\r\n"])
def test_a_code_has_three_digits(data: bytes) -> None:
    with pytest.raises(BadReply):
        read(data)


async def test_clean_messages_go_as_before() -> None:
    client, wire = await opened(GO, b"250 kept\r\n")
    await client.send(ONE)
    assert wire.said.endswith(RAW.replace(b"\r\n.", b"\r\n..") + b".\r\n")
