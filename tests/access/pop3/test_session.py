"""What transcripts cannot show: time, locks that get lost, faults, large messages."""

import pytest

from everpost.net.connection import ConnectionLost
from tests.access.pop3.fakes import Client, make_door

HEADER = b"Subject: x\r\n\r\n"


async def test_nothing_is_deleted_without_quit() -> None:
    door = make_door({1: HEADER})
    client = Client(door)
    await client.log_in()
    assert (await client.say(b"DELE 1\r\n")).startswith(b"+OK")
    client.machine.receive_eof()
    await client.say(b"")
    assert client.session.finished
    await client.session.closed()
    assert door.mailboxes.messages == {1: HEADER}
    assert not door.locks.holders and door.mailboxes.open_views == 0


async def test_pipelined_commands_are_answered_in_order() -> None:
    client = Client(make_door({1: HEADER + b"one", 2: HEADER + b"two"}))
    await client.start()
    answer = await client.say(b"USER ann@example.test\r\nPASS secret word\r\nRETR 2\r\nDELE 2\r\nRETR 1\r\nQUIT\r\n")
    lines = answer.split(b"\r\n")
    assert lines.index(b"two") < lines.index(b"one") < lines.index(b"+OK goodbye; 1 messages deleted")


async def test_a_silent_client_is_left_after_ten_minutes_and_keeps_its_lock_till_then() -> None:
    door = make_door({1: HEADER})
    client = Client(door)
    await client.log_in()
    while door.clock.at < 1_800_000_599:
        wait = client.session.patience()
        assert wait <= 20.1
        door.clock.advance(wait)
        if door.clock.at < 1_800_000_600:
            assert await client.session.idle()
    assert door.locks.renewed >= 29
    door.clock.at = 1_800_000_601
    assert not await client.session.idle()
    assert client.machine.data_to_send() == b"-ERR too long a silence\r\n"


async def test_noop_keeps_a_session_alive() -> None:
    door = make_door({})
    client = Client(door)
    await client.log_in()
    for _ in range(10):
        door.clock.advance(300)
        assert await client.say(b"NOOP\r\n") == b"+OK\r\n"
        client.session.patience()
        assert await client.session.idle()


async def test_a_stranger_has_three_minutes() -> None:
    door = make_door({})
    client = Client(door)
    await client.start()
    door.clock.advance(170)
    await client.say(b"CAPA\r\n")
    assert client.session.patience() == pytest.approx(10)
    door.clock.advance(11)
    assert not await client.session.idle()


async def test_whoever_lost_the_lock_deletes_nothing() -> None:
    door = make_door({1: HEADER})
    client = Client(door)
    await client.log_in()
    await client.say(b"DELE 1\r\n")
    door.locks.holders.clear()
    assert await client.say(b"QUIT\r\n") == b"-ERR [SYS/TEMP] another session has the maildrop now\r\n"
    assert client.session.finished and door.mailboxes.messages == {1: HEADER}


async def test_a_database_that_is_away_ends_no_waiting_session() -> None:
    door = make_door({1: HEADER})
    client = Client(door)
    await client.log_in()
    door.clock.advance(21)
    door.locks.broken = True
    assert await client.session.idle()
    assert client.session.patience() == pytest.approx(5)
    door.locks.broken = False
    door.clock.advance(5)
    assert await client.session.idle()
    assert (await client.say(b"STAT\r\n")).startswith(b"+OK 1 ")


async def test_deletions_that_fail_are_told() -> None:
    door = make_door({1: HEADER})
    client = Client(door)
    await client.log_in()
    await client.say(b"DELE 1\r\n")
    door.mailboxes.broken = True
    assert await client.say(b"QUIT\r\n") == b"-ERR [SYS/TEMP] the database is away\r\n"
    assert client.session.finished
    await client.session.closed()
    assert not door.locks.holders


async def test_a_message_that_another_program_removed() -> None:
    door = make_door({1: HEADER, 2: HEADER})
    client = Client(door)
    await client.log_in()
    del door.mailboxes.messages[1]
    assert await client.say(b"RETR 1\r\n") == b"-ERR the message is not there any more\r\n"
    assert await client.say(b"TOP 1 0\r\n") == b"-ERR the message is not there any more\r\n"
    assert (await client.say(b"STAT\r\n")).startswith(b"+OK 2 ")


async def test_a_large_message_goes_in_slices() -> None:
    raw = HEADER + b".\r\n" * 500_000
    client = Client(make_door({1: raw}))
    await client.log_in()
    answer = await client.say(b"RETR 1\r\n")
    assert answer.partition(b"\r\n")[2] == HEADER + b"..\r\n" * 500_000 + b".\r\n"
    assert client.connection.largest < 250_000


async def test_many_listings_are_not_heaped_up() -> None:
    client = Client(make_door(dict.fromkeys(range(1, 3001), HEADER)))
    await client.log_in()
    answer = await client.say(b"UIDL\r\n" * 100)
    assert len(answer) > 3_000_000
    assert client.connection.largest < 200_000


async def test_a_client_that_went_away_ends_the_session() -> None:
    client = Client(make_door({1: HEADER + b"x" * 1_000_000}))
    await client.log_in()
    client.connection.lost = True
    with pytest.raises(ConnectionLost):
        await client.say(b"RETR 1\r\n")


async def test_a_fault_of_ours_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(make_door({1: HEADER}))
    await client.log_in()
    monkeypatch.setattr("everpost.access.pop3.maildrop.Maildrop.total", None)
    assert await client.say(b"STAT\r\n") == b"-ERR [SYS/TEMP] something went wrong here; try again later\r\n"
    assert (await client.say(b"UIDL 1\r\n")).startswith(b"+OK")


async def test_a_stopping_node_says_goodbye() -> None:
    door = make_door({1: HEADER})
    client = Client(door)
    await client.log_in()
    await client.say(b"DELE 1\r\n")
    door.close()
    await client.session.woken()
    assert client.session.finished and client.machine.data_to_send().startswith(b"-ERR [SYS/TEMP]")
    await client.session.closed()
    assert door.mailboxes.messages == {1: HEADER}
