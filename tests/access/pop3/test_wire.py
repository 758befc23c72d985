"""The machine alone: any cut, any bytes, limits, dots."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.access.pop3 import maildrop
from everpost.access.pop3.wire import events
from everpost.access.pop3.wire.commands import State
from everpost.access.pop3.wire.server import MAX_LINE, Pop3Config, Pop3Machine
from everpost.access.pop3.wire.stuffing import Stuffing

CONFIG = Pop3Config("mail.example.test", tls_available=True)
SCRIPT = (
    b"CAPA\r\nUSER ann@example.test\r\nPASS  secret \r\nSTAT\r\nLIST\r\nlist 2\r\nUIDL\r\nTOP 1 10\r\n"
    b"RETR 1\r\nNOOP\r\nFROB\r\nDELE 1\nRSET\r\n" + b"X" * (MAX_LINE + 5) + b"\r\nUIDL 1\r\nQUIT\r\nSTAT\r\n"
)


def run(pieces: list[bytes], mechanisms: tuple[str, ...] = ("PLAIN",)) -> tuple[list[events.Event], bytes]:
    """Events and output of a session that accepts every login and has one message."""
    machine = Pop3Machine(CONFIG)
    machine.mechanisms = mechanisms
    machine.greet()
    found: list[events.Event] = []
    for piece in [*pieces, None]:
        if piece is None:
            machine.receive_eof()
        else:
            machine.receive_data(piece)
        while (event := machine.next_event()) is not None:
            found.append(event)
            match event:
                case events.Password() | events.AuthStart(initial=bytes()) | events.AuthResponse():
                    machine.log_in("welcome")
                case events.AuthStart():
                    machine.challenge(b"go on")
                case events.Retrieve():
                    machine.start_message("here")
                    machine.piece(b"A: b\r\n\r\n.")
                    machine.end_message()
                case events.List(None) | events.Uidl(None):
                    machine.lines("listing", ["1 x"])
                case events.AuthCancel() | events.Closed():
                    pass
                case _:
                    machine.ok()
    return found, machine.data_to_send()


def test_the_script() -> None:
    found, output = run([SCRIPT])
    assert found[0] == events.Password("ann@example.test", " secret ")
    assert events.Retrieve(1, 10) in found and events.Retrieve(1) in found
    assert found[-1] == events.Quit(True)
    assert output.count(b"-ERR the line is too long\r\n") == 1
    assert b"A: b\r\n\r\n..\r\n.\r\n" in output


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(SCRIPT)), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(SCRIPT)]
    pieces = [SCRIPT[a:b] for a, b in pairwise(places)]
    assert run(pieces) == run([SCRIPT])


def test_one_byte_at_a_time() -> None:
    assert run([bytes([byte]) for byte in SCRIPT]) == run([SCRIPT])


WORDS = [b"USER a", b"PASS b", b"AUTH PLAIN", b"AUTH PLAIN AGEAYg==", b"STLS", b"RETR 1", b"QUIT", b"\r\n", b"\n", b"*"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from(WORDS), max_size=30), st.booleans())
def test_any_bytes_are_survived(pieces: list[bytes], may_log_in: bool) -> None:
    found, output = run(pieces, ("PLAIN",) if may_log_in else ())
    assert output.startswith(b"+OK")
    if not may_log_in:
        assert not any(isinstance(event, events.Password | events.AuthStart | events.Stat) for event in found)


def test_what_came_in_clear_before_tls_is_thrown_away() -> None:
    machine = Pop3Machine(CONFIG)
    machine.receive_data(b"STLS\r\nCAPA\r\nUSER eve\r\n")
    assert machine.next_event() == events.StartTls()
    machine.ok("begin")
    machine.tls_started()
    assert machine.next_event() is None
    machine.receive_data(b"PASS x\r\n")
    assert machine.next_event() is None
    assert machine.data_to_send().endswith(b"-ERR nobody can log in here\r\n")


def test_errors_end_the_session() -> None:
    machine = Pop3Machine(Pop3Config("h", max_errors=3))
    machine.state = State.TRANSACTION
    machine.receive_data(b"FROB\r\n" * 10)
    assert machine.next_event() == events.Closed()
    assert machine.next_event() is None
    assert machine.data_to_send() == b"-ERR unknown command\r\n" * 4 + b"-ERR too many errors\r\n"


def test_strangers_cannot_go_on_for_ever() -> None:
    found, output = run([b"CAPA\r\n" * 1000])
    assert found == [events.Closed()]
    assert output.endswith(b"-ERR too many commands without login\r\n")


def test_a_line_without_end_takes_no_memory() -> None:
    machine = Pop3Machine(CONFIG)
    for _ in range(500):
        machine.receive_data(b"x" * 10_000)
        assert machine.next_event() is None
    assert len(machine._buffer) - machine._taken <= MAX_LINE
    assert machine.data_to_send() == b"-ERR the line is too long\r\n"


def test_taking_a_line_copies_nothing_of_the_rest() -> None:
    machine = Pop3Machine(CONFIG)
    machine.state = State.TRANSACTION
    machine.receive_data(b"NOOP\r\n" * 50_000)
    buffer = machine._buffer
    assert machine.next_event() is None
    # Else many short commands sent at once would take quadratic time.
    assert machine._buffer is buffer and machine.commands == 50_000


def unstuffed(data: bytes) -> bytes:
    """As a client that goes by LF reads it, without the last line end where the message had none."""
    assert data.endswith(b".\r\n")
    lines = data[:-3].split(b"\n")
    return b"\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b".", b"\r\n", b"\n", b"\r", b"a", b"..", b""]), max_size=40), st.randoms())
def test_dots(pieces: list[bytes], chance: random.Random) -> None:
    stuffing = Stuffing()
    sent = b"".join(map(stuffing.feed, pieces)) + stuffing.end()
    raw = b"".join(pieces)
    # Nothing ends before the end, for whoever goes by CRLF or by LF.
    assert (b"\r\n" + sent).index(b"\r\n.\r\n") == len(sent) - 3
    assert b"\n.\n" not in b"\n" + sent
    expected = raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"
    assert unstuffed(sent) == expected
    whole = Stuffing()
    assert whole.feed(raw) + whole.end() == sent


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b"a: b", b"", b"long " * 20, b"."]), max_size=12),
    st.integers(0, 12),
    st.booleans(),
)
def test_top(lines: list[bytes], count: int, ended: bool) -> None:
    raw = b"\r\n".join([b"A: b", b"", *lines]) + (b"\r\n" if ended else b"")
    header, blank, body = raw.partition(b"\r\n\r\n")
    kept = body.split(b"\n")[:count]
    rest = b"\n".join(kept) + (b"\n" if count < len(body.split(b"\n")) and kept else b"")
    old, maildrop.SLICE = maildrop.SLICE, 7
    try:
        assert b"".join(maildrop.top(raw, count)) == (header + blank + rest if blank else raw)
    finally:
        maildrop.SLICE = old


def test_top_of_odd_messages() -> None:
    assert b"".join(maildrop.top(b"A: b\r\nC: d", 1)) == b"A: b\r\nC: d"
    assert b"".join(maildrop.top(b"\r\nbody\r\nmore", 1)) == b"\r\nbody\r\n"
    assert b"".join(maildrop.top(b"", 1)) == b""
