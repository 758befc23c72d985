"""Any bytes, cut anywhere, mean the same to the server's machine, and none of them break it."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.smtp.wire import events
from everpost.smtp.wire.server import ServerConfig
from tests.smtp.scripted import Scripted

CONFIG = ServerConfig(
    "mx.example", max_size=60, max_recipients=3, max_errors=4, max_idle_commands=6, tls_available=True
)

WORDS = [
    b"EHLO c\r\n",
    b"HELO c\r\n",
    b"MAIL FROM:<a@example.com>\r\n",
    b"MAIL FROM:<nodata@example.com> SIZE=10\r\n",
    b"RCPT TO:<b@example.org>\r\n",
    b"RCPT TO:<nobody@example.org>\r\n",
    b"DATA\r\n",
    b"text\r\n.\r\n",
    b"..dots\r\n.\r\n",
    b"bare\nline\r\n.\r\n",
    b"refuse me\r\n.\r\n",
    b"a line that is rather long, longer than the limit says\r\nand another\r\n.\r\n",
    b"smuggled\n.\r\n",
    b"BDAT 4\r\nab\r\n",
    b"BDAT 6 LAST\r\nab\r\n\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT x\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n",
    b"AHVzZXIAc2VjcmV0\r\n",
    b"*\r\n",
    b"NOOP\r\n",
    b"RSET\r\n",
    b"VRFY x\r\n",
    b"QUIT\r\n",
    b"x" * 5000 + b"\r\n",
    b"GET / HTTP/1.1\r\n",
    b"\r",
    b"\n",
    b".",
    b"\0",
    b"\xff\r\n",
]
SPEECH = st.lists(st.sampled_from(WORDS), max_size=14).map(b"".join)
USEFUL = SPEECH.map(lambda rest: b"".join(WORDS[index] for index in (0, 2, 4)) + rest)
# What is said of bytes that come with others or not at all depends on when they come.
DEPENDS = {events.ViolationKind.AFTER_QUIT, events.ViolationKind.BEFORE_TLS}


def hear(pieces: list[bytes]) -> tuple[bytes, list[events.Event], list[bytes]]:
    session = Scripted.begin(CONFIG, ("PLAIN",))
    said = session.greet()
    for piece in pieces:
        said += session.feed(piece)
    told = [event for event in session.told if not (isinstance(event, events.Violation) and event.kind in DEPENDS)]
    return said, told, session.messages


@settings(max_examples=250)
@given(st.one_of(SPEECH, USEFUL), st.lists(st.integers(0, 10_000), max_size=12))
def test_cuts_do_not_matter(data: bytes, places: list[int]) -> None:
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert hear(pieces) == hear([data])


@settings(max_examples=60)
@given(USEFUL.filter(lambda data: len(data) < 2000))
def test_byte_by_byte(data: bytes) -> None:
    assert hear([data[index : index + 1] for index in range(len(data))]) == hear([data])


@settings(max_examples=150)
@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_are_survived(data: bytes, size: int) -> None:
    session = Scripted.begin(CONFIG, ("PLAIN", "LOGIN"))
    session.greet()
    session.feed(data, size)
    session.hang_up()
    assert session.finished or session.upgrading


@settings(max_examples=150)
@given(USEFUL, st.integers(1, 40))
def test_every_reply_is_well_formed(data: bytes, size: int) -> None:
    session = Scripted.begin(CONFIG, ("PLAIN",))
    said = session.greet() + session.feed(data, size)
    assert not said or said.endswith(b"\r\n")
    for line in said.split(b"\r\n")[:-1]:
        assert line[:3].isdigit(), line
        assert line[3:4] in b" -", line
        assert b"\r" not in line and b"\n" not in line and len(line) <= 510, line


def test_commands_before_the_greeting_wait_for_it_and_are_told() -> None:
    session = Scripted.begin(CONFIG)
    session.machine.receive_data(b"HELO c\r\n")
    assert session.pump() == b""
    assert session.greet() == b"220 mx.example ESMTP\r\n250 mx.example\r\n"
    assert session.violations == ["EARLY_TALK"]


def test_plain_bytes_after_starttls_are_thrown_away_and_told() -> None:
    session = Scripted.begin(CONFIG)
    session.greet()
    session.feed(b"HELO c\r\n")
    assert session.feed(b"STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n") == b"220 2.0.0 go ahead\r\n"
    assert session.violations == ["BEFORE_TLS"]
    session.start_tls()
    assert session.pump() == b""
    assert session.feed(b"MAIL FROM:<a@example.com>\r\n").startswith(b"503 5.5.1 say EHLO first")


def test_a_closed_machine_hears_nothing() -> None:
    session = Scripted.begin(CONFIG)
    session.greet()
    session.feed(b"QUIT\r\n")
    session.machine.receive_data(b"NOOP\r\n")
    assert session.machine.next_event() is None
    assert session.machine.data_to_send() == b""
