"""What transcripts cannot show: large answers in pieces, faults of the database, hostile bytes."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everpost.access.imap.fetch import FLUSH_BYTES
from everpost.access.imap.session import PIECE_BYTES
from everpost.core.errors import Broken
from everpost.net.connection import ConnectionLost
from everpost.store.ports import StoreUnavailable
from tests.access.imap.world import fake_world, message


async def test_a_large_message_goes_out_in_pieces() -> None:
    world = fake_world()
    raw = message(1, "x" * 3_000_000)
    await (await world.mail()).append("INBOX", raw)
    client = await world.client(select="INBOX")
    output = await client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
    assert raw in output and output.endswith(b")\r\na OK FETCH completed\r\n")
    assert client.connection.largest <= FLUSH_BYTES + PIECE_BYTES


async def test_many_messages_go_out_in_pieces() -> None:
    world = fake_world()
    mail = await world.mail()
    for number in range(300):
        await mail.append("INBOX", message(number, "y" * 10_000))
    client = await world.client(select="INBOX")
    output = await client.send(b"a UID FETCH 1:* (FLAGS BODY[])\r\n")
    assert output.count(b" FETCH (") == 300 and output.endswith(b"a OK FETCH completed\r\n")
    assert client.connection.largest <= FLUSH_BYTES + 2 * PIECE_BYTES
    output = await client.send(b"b SEARCH UNSEEN\r\n")
    assert output == b"* SEARCH\r\nb OK SEARCH completed\r\n"


async def test_a_client_that_goes_away_in_the_middle() -> None:
    world = fake_world()
    await (await world.mail()).append("INBOX", message(1, "x" * 1_000_000))
    client = await world.client(select="INBOX")

    async def lost(timeout: float) -> None:
        raise ConnectionLost("the connection was lost")

    client.connection.drain = lost  # type: ignore[method-assign]
    with pytest.raises(ConnectionLost):
        await client.send(b"a FETCH 1 BODY[]\r\n")
    await client.close()
    assert not (await world.mail()).account.views


async def test_nul_is_a_literal8_in_binary() -> None:
    world = fake_world()
    raw = b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n"
    await (await world.mail()).append("INBOX", raw)
    client = await world.client(select="INBOX")
    output = await client.send(b"a FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])\r\n")
    assert b"(BINARY[1] ~{3}\r\n\0\1\2 BINARY.SIZE[1] 3)\r\n" in output


async def test_messages_come_back_byte_for_byte() -> None:
    world = fake_world()
    client = await world.client(select="INBOX")
    raw = b"Subject: x\r\n\r\n\r\n{5}\r\n\xff\0 DONE\r\n"
    for place, literal in enumerate((b"{%d+}", b"~{%d+}"), 1):
        await client.send(b"a APPEND INBOX " + literal % len(raw) + b"\r\n" + raw + b"\r\n")
        output = await client.send(b"b FETCH %d BODY.PEEK[]\r\n" % place)
        assert b"BODY[] {%d}\r\n%b)\r\n" % (len(raw), raw) in output


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (StoreUnavailable("the database cannot be reached"), b"NO [UNAVAILABLE] The database cannot be reached"),
        (Broken("a stored message has the wrong length"), b"NO [SERVERBUG] A stored message has the wrong length"),
        (ZeroDivisionError("secret"), b"NO [SERVERBUG] Something went wrong here; it was noted"),
    ],
)
async def test_faults_of_the_database(error: Exception, answer: bytes) -> None:
    world = fake_world()
    await world.fill("INBOX", 2)
    client = await world.client(select="INBOX")
    (await world.mail()).account.failing = error
    assert await client.send(b"a STORE 1 +FLAGS (\\Seen)\r\n") == b"a " + answer + b"\r\n"
    assert await client.send(b"b STORE 1 +FLAGS.SILENT (\\Seen)\r\n") == b"b OK STORE completed\r\n"
    (await world.mail()).account.failing = error
    assert await client.send(b"c CLOSE\r\n") == b"c " + answer + b"\r\n"
    assert await client.send(b"d CLOSE\r\n") == b"d OK CLOSE completed\r\n"


async def test_a_sync_that_fails_loses_nothing() -> None:
    world = fake_world()
    client = await world.client(select="INBOX")
    view = client.session.selected.view  # type: ignore[union-attr]
    sync = view.sync

    async def fail(expunges: bool) -> Any:
        raise StoreUnavailable("the database cannot be reached")

    await world.fill("INBOX", 1)
    view.sync = fail  # type: ignore[method-assign]
    assert await client.send(b"a NOOP\r\n") == b"a OK NOOP completed\r\n"
    await client.send(b"b IDLE\r\n")
    client.connection.wake()
    assert await client.poll() == b""
    view.sync = sync  # type: ignore[method-assign]
    client.connection.wake()
    assert await client.poll() == b"* 1 EXISTS\r\n* 1 RECENT\r\n"


async def test_quota() -> None:
    world = fake_world()
    await world.fill("INBOX", 2)
    mail = await world.mail()
    mail.account.quota = mail.account.bytes + 100
    client = await world.client(select="INBOX")
    raw = message(9)
    output = await client.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(raw), raw))
    assert output == b"a NO [OVERQUOTA] The mailbox is full\r\n"
    assert await client.send(b"b COPY 1 Trash\r\n") == b"b NO [OVERQUOTA] The mailbox is full\r\n"
    assert b"b OK MOVE" in await client.send(b"b MOVE 1 Trash\r\n")


async def test_pipelined_commands_are_answered_in_order() -> None:
    world = fake_world()
    await world.fill("INBOX", 2)
    client = await world.client()
    output = await client.send(
        b"a SELECT INBOX\r\nb FETCH 1 UID\r\nc STORE 1 +FLAGS.SILENT (\\Deleted)\r\nd EXPUNGE\r\ne FETCH 1 UID\r\n"
        b"f LOGIN {4}\r\n"
    )
    assert output.index(b"a OK") < output.index(b"* 1 FETCH (UID 1)") < output.index(b"b OK") < output.index(b"c OK")
    assert output.endswith(
        b"* 1 EXPUNGE\r\nd OK EXPUNGE completed\r\n* 1 FETCH (UID 2)\r\ne OK FETCH completed\r\n+ OK\r\n"
    )


async def test_commands_before_tls_are_thrown_away() -> None:
    world = fake_world()
    client = await world.client(tls=False, login=False)
    output = await client.send(b"a STARTTLS\r\nb LOGIN user sesame\r\n")
    assert output == b"a OK Begin TLS now\r\n"
    assert client.session.mail is None


async def test_shutting_down_a_busy_session() -> None:
    world = fake_world()
    client = await world.client(select="INBOX")
    client.session.shut_down("The server stops")
    assert await client.send(b"a NOOP\r\nb NOOP\r\n") == b"* BYE The server stops\r\n"
    assert client.ended and not (await world.mail()).account.views


async def test_thousands_of_keywords() -> None:
    world = fake_world()
    mail = await world.mail()
    for number in range(600):
        names = frozenset(f"key{number}.{part}" for part in range(5))
        await mail.append("INBOX", message(number), names)
    client = await world.client()
    output = await client.send(b"a SELECT INBOX\r\n")
    assert output.count(b"key") == 1000
    output = await client.send(b"b FETCH 600 FLAGS\r\n")
    assert b"key599.4" in output and b"* FLAGS" not in output


commands = st.sampled_from(
    [
        b"a LOGIN user sesame\r\n",
        b"a SELECT INBOX\r\n",
        b"a EXAMINE INBOX (CONDSTORE)\r\n",
        b"a FETCH 1:* (FLAGS UID ENVELOPE BODY[] BODYSTRUCTURE)\r\n",
        b"a FETCH 1 (BODY[1.MIME] BINARY[1]<1.5> BODY[2.HEADER.FIELDS (X)])\r\n",
        b"a UID STORE 1:* +FLAGS ",
        b"a STORE 1 (UNCHANGEDSINCE 1) FLAGS.SILENT ",
        b"(\\Deleted)\r\n",
        b"a UID SEARCH RETURN (SAVE ALL) NOT UNSEEN\r\n",
        b"a SEARCH BODY x OR TEXT y HEADER z q\r\n",
        b'a LIST (SUBSCRIBED RECURSIVEMATCH) "" (% *) RETURN (STATUS (MESSAGES))\r\n',
        b"a APPEND INBOX {5+}\r\nabcde\r\n",
        b"a APPEND Sent (\\Seen) {5}\r\n",
        b"a COPY 1:* Sent\r\n",
        b"a MOVE $ Trash\r\n",
        b"a EXPUNGE\r\n",
        b"a UID SORT RETURN (UPDATE PARTIAL -1:-3) (REVERSE DATE SUBJECT) UTF-8 NOT UID 2\r\n",
        b"b SEARCH RETURN (UPDATE ALL) OR 1:* FUZZY YOUNGER 5\r\n",
        b"c THREAD REFERENCES UTF-8 ALL\r\n",
        b"d ESEARCH IN (personal subtree a) RETURN (MIN COUNT) SAVEDSINCE 1-Jan-2020\r\n",
        b"e FETCH 1:* (PREVIEW (LAZY) SAVEDATE EMAILID THREADID) (PARTIAL 1:9)\r\n",
        b'f CANCELUPDATE "a" "b"\r\n',
        b"g ENABLE UIDONLY\r\n",
        b"a IDLE\r\n",
        b"DONE\r\n",
        b"a AUTHENTICATE PLAIN\r\n",
        b"*\r\n",
        b"a ENABLE IMAP4rev2\r\n",
        b"a CREATE a/b/c\r\n",
        b"a RENAME INBOX x\r\n",
        b"a DELETE x\r\n",
        b"a CLOSE\r\n",
        b"{3+}\r\n",
        b'"',
        b"\r\n",
        b"\n",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(commands | st.binary(max_size=30), max_size=30), st.booleans())
async def test_any_bytes_are_survived(said: list[bytes], login: bool) -> None:
    world = fake_world(max_faults=1000)
    await world.fill("INBOX", 2)
    client = await world.client(login=login)
    client.session.log.exception = _no_fault  # type: ignore[method-assign]
    for data in said:
        output = await client.send(data)
        assert not output or output.endswith(b"\r\n")
        await client.poll()
    await client.close()
    assert not (await world.mail()).account.views


def _no_fault(event: str, **words: object) -> None:
    raise AssertionError(f"{event} {words}")


async def test_sessions_do_not_block_each_other() -> None:
    world = fake_world()
    await world.fill("INBOX", 5)
    clients = [await world.client(select="INBOX") for _ in range(5)]
    outputs = await asyncio.gather(*(client.send(b"a UID STORE 1:5 +FLAGS.SILENT (\\Seen)\r\n") for client in clients))
    assert all(output.endswith(b"a OK STORE completed\r\n") for output in outputs)
