"""The server's machine where a transcript cannot reach: called out of turn, flooded, cut off."""

import pytest

from everpost.smtp.wire import events
from everpost.smtp.wire.reply import Reply
from everpost.smtp.wire.server import MAX_BUFFER, ServerConfig
from everpost.smtp.wire.tally import MAX_REFUSED_RECIPIENTS
from tests.smtp.scripted import Scripted

FINE = Reply(250, "2.1.0", "fine")


def greeted(config: ServerConfig | None = None, mechanisms: tuple[str, ...] = ()) -> Scripted:
    session = Scripted.begin(config or ServerConfig("mx.example", tls_available=True), mechanisms)
    session.greet()
    session.feed(b"HELO c\r\n")
    return session


def test_nothing_is_heard_between_the_answer_to_starttls_and_the_handshake() -> None:
    session = greeted()
    session.feed(b"STARTTLS\r\n")
    session.machine.receive_data(b"MAIL FROM:<evil@example.com>\r\n")
    assert session.machine.next_event() is None
    session.start_tls()
    assert session.machine.next_event() is None
    assert session.feed(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"


def test_after_a_refused_starttls_the_session_goes_on() -> None:
    machine = greeted().machine
    machine.receive_data(b"STARTTLS\r\n")
    assert isinstance(machine.next_event(), events.StartTls)
    machine.reply(Reply(454, "4.7.0", "not now"))
    machine.receive_data(b"NOOP\r\n")
    assert machine.next_event() is None
    assert machine.data_to_send() == b"454 4.7.0 not now\r\n250 2.0.0 OK\r\n"


def test_the_end_of_the_stream_comes_after_the_answer_that_is_due() -> None:
    machine = greeted().machine
    machine.receive_data(b"MAIL FROM:<a@example.com>\r\nNOOP\r\n")
    assert isinstance(machine.next_event(), events.Mail)
    machine.receive_eof()
    machine.reply(FINE)
    assert machine.next_event() == events.Closed()
    assert machine.data_to_send() == b"250 2.1.0 fine\r\n250 2.0.0 OK\r\n"
    assert machine.next_event() is None


def test_an_answer_after_the_close_is_not_said() -> None:
    machine = greeted().machine
    machine.receive_data(b"MAIL FROM:<a@example.com>\r\n")
    machine.next_event()
    machine.close(Reply(421, "4.3.2", "closing"))
    machine.reply(FINE)
    assert machine.data_to_send() == b"421 4.3.2 closing\r\n"


def test_an_answer_to_nothing_is_our_fault() -> None:
    with pytest.raises(AssertionError):
        greeted().machine.reply(FINE)


@pytest.mark.parametrize("code", [421, 554])
def test_a_greeting_that_is_a_farewell(code: int) -> None:
    session = Scripted.begin(ServerConfig("mx.example"))
    session.machine.greet(Reply(code, "4.3.2", "not now"))
    session.machine.receive_data(b"HELO c\r\n")
    assert session.pump() == b"%d 4.3.2 not now\r\n" % code
    assert session.finished


def test_a_flood_of_recipients_ends_the_session() -> None:
    session = greeted(ServerConfig("mx.example", max_recipients=1))
    session.feed(b"MAIL FROM:<a@example.com>\r\n")
    said = session.feed(b"RCPT TO:<b@example.org>\r\n" * 30_000)
    assert said.count(b"\r\n") == 1 + MAX_REFUSED_RECIPIENTS + 2
    assert said.endswith(b"421 4.7.0 too many commands without a message\r\n")
    assert session.finished


def test_input_that_waits_for_an_answer_is_bounded() -> None:
    machine = greeted().machine
    machine.receive_data(b"MAIL FROM:<a@example.com>\r\n")
    machine.next_event()
    for _ in range(40):
        machine.receive_data(b"NOOP\r\n" * (MAX_BUFFER // 120))
    assert machine.data_to_send().startswith(b"500 5.5.6 ")
    assert isinstance(machine.next_event(), events.Violation)
    assert machine.next_event() == events.Closed()


def test_content_beyond_the_limit_is_not_handed_out_and_in_the_end_not_heard() -> None:
    machine = greeted(ServerConfig("mx.example", max_size=1000)).machine
    machine.receive_data(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    for reply in (FINE, FINE, Reply(354, None, "go")):
        machine.next_event()
        machine.reply(reply)
    taken = 0
    ended = False
    for _ in range(400):
        machine.receive_data(b"x" * 65_536)
        while (event := machine.next_event()) is not None:
            taken += len(event.data) if isinstance(event, events.Content) else 0
            ended = ended or isinstance(event, events.Closed)
    assert taken <= 1000
    assert ended
    assert machine.data_to_send().endswith(b"552 5.3.4 the message is too large\r\n")


def test_a_line_too_long_ends_an_exchange_of_auth() -> None:
    session = greeted(mechanisms=("PLAIN",))
    session.feed(b"AUTH PLAIN\r\n")
    session.feed(b"A" * 13_000 + b"\r\n")
    assert events.AuthCancel() in session.told


def test_replies_are_ascii_unless_smtputf8_was_asked_for() -> None:
    for words, text in ((b"", b"for ?"), (b" SMTPUTF8", "for ö".encode())):
        session = greeted()
        session.feed(b"MAIL FROM:<a@example.com>" + words + b"\r\n")
        machine = session.machine
        machine.receive_data(b"RCPT TO:<b@example.org>\r\n")
        machine.next_event()
        machine.reply(Reply(250, "2.1.5", "for ö"))
        assert machine.data_to_send() == b"250 2.1.5 " + text + b"\r\n"


def test_is_receiving() -> None:
    machine = greeted().machine
    seen = []
    for data in (b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.org>\r\n", b"DATA\r\n", b"x\r\n.\r\n"):
        machine.receive_data(data)
        while (event := machine.next_event()) is not None:
            seen.append(machine.is_receiving)
            if not isinstance(event, events.Content):
                machine.reply(Reply(354, None, "go") if isinstance(event, events.DataStart) else FINE)
    # MAIL, RCPT, DATA; the content, its end.
    assert seen == [False, False, False, False, True]
    assert not machine.is_receiving
