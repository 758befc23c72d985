"""The wire machine: however the bytes are cut, and whatever they are."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.access.imap.wire.events import Closed, Command, Event, Fault, Hopeless, Line, Malformed
from everpost.access.imap.wire.machine import ImapMachine, Limits

LIMITS = Limits(command=200, line=100, literals=60, message=120, waste=300)

pieces = st.sampled_from(
    [
        b"a1 NOOP\r\n",
        b"a2 uid fetch 1:* flags\r\n",
        b"a3 LOGIN {4}\r\n",
        b"a4 LOGIN {4+}\r\n",
        b"a5 APPEND x {70+}\r\n",
        b"a6 APPEND x {121+}\r\n",
        b"a7 LOGIN {61}\r\n",
        b"a8 LOGIN {0+}\r\n",
        b"abcd",
        b"\r\n",
        b"\n",
        b"\0",
        b"\r",
        b"DONE\r\n",
        b"x" * 50,
        b"y" * 195,
        b"y" * 250,
        b" {3+}\r\n",
        b"+ \r\n",
        b"{9999+}\r\n",
        b"{99999999999999999999}\r\n",
    ]
)
streams = st.lists(st.one_of(pieces, st.binary(max_size=20)), max_size=20).map(b"".join)


def feed(data: bytes, cuts: list[int], expecting: int = 0) -> tuple[list[Event], bytes]:
    """Events and output for the bytes, cut at these places; after the first `expecting` events a line is expected."""
    machine = ImapMachine(LIMITS)
    events: list[Event] = []
    output = b""

    def take() -> None:
        nonlocal output
        while (event := machine.next_event()) is not None:
            events.append(event)
            if len(events) <= expecting:
                machine.expect_line()
        output += machine.data_to_send()

    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(places):
        machine.receive_data(data[start:end])
        take()
    machine.receive_eof()
    take()
    return events, output


@settings(max_examples=150)
@given(streams, st.lists(st.integers(0, 600), max_size=12), st.integers(0, 2))
def test_any_cut_gives_the_same_events(data: bytes, cuts: list[int], expecting: int) -> None:
    whole = feed(data, [], expecting)
    assert feed(data, cuts, expecting) == whole
    assert feed(data, list(range(0, len(data), 7)), expecting) == whole


@settings(max_examples=60)
@given(streams)
def test_it_ends_once_and_holds_little(data: bytes) -> None:
    machine = ImapMachine(LIMITS)
    ends = 0
    for place in range(len(data)):
        machine.receive_data(data[place : place + 1])
        while (event := machine.next_event()) is not None:
            ends += isinstance(event, Hopeless)
            if isinstance(event, Command):
                assert len(event.text) <= LIMITS.command
                assert sum(map(len, event.literals)) <= LIMITS.message
        held = len(machine._input) + sum(map(len, machine._pieces)) + len(machine._literal)
        assert held <= LIMITS.command + LIMITS.message + 600
    machine.receive_eof()
    while (event := machine.next_event()) is not None:
        ends += isinstance(event, Closed)
    assert ends == 1
    assert machine.next_event() is None


def test_a_command() -> None:
    events, output = feed(b'a1 uid fetch 1:* (flags)\r\nb.2 APPEND "x y" {3}\r\nabc {4+}\r\ndefg\r\n', [])
    assert events[:-1] == [
        Command("a1", "UID FETCH", b"1:* (flags)", (), 13),
        Command("b.2", "APPEND", b'"x y" {3}\r\n {4+}\r\n', (b"abc", b"defg"), 11),
    ]
    assert output == b"+ OK\r\n"


def test_a_literal_may_hold_anything() -> None:
    inside = b"\r\nx LOGOUT\r\n\0{5}\r\n"
    events, _ = feed(b"a LOGIN u {%d+}\r\n%b\r\nb NOOP\r\n" % (len(inside), inside), [])
    assert [event.name for event in events if isinstance(event, Command)] == ["LOGIN", "NOOP"]
    assert isinstance(events[0], Command) and events[0].literals == (inside,)


def test_output_keeps_the_order_of_commands() -> None:
    machine = ImapMachine(LIMITS)
    machine.receive_data(b"a NOOP\r\nb LOGIN {3}\r\n")
    assert machine.next_event() == Command("a", "NOOP", b"", (), 6)
    machine.send(b"a OK\r\n")
    assert machine.next_event() is None
    assert machine.data_to_send() == b"a OK\r\n+ OK\r\n"


def test_too_long_lines_are_passed_over_with_the_literal_they_end_in() -> None:
    for cuts in ([], list(range(900))):
        events, output = feed(b"a CREATE " + b"x" * 250 + b"{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", cuts)
        assert events[:-1] == [Malformed("a", "CREATE", Fault.TOO_LONG), Command("c", "NOOP", b"", (), 6)]
        assert output == b""
        events, output = feed(b"a CREATE " + b"x" * 250 + b"{8}\r\nc NOOP\r\n", cuts)
        assert events[:-1] == [Malformed("a", "CREATE", Fault.TOO_LONG), Command("c", "NOOP", b"", (), 6)]
        assert output == b""


def test_too_much_waste_ends_it() -> None:
    assert feed(b"a CREATE " + b"x" * 1000, list(range(0, 1000, 10)))[0] == [Hopeless()]
    assert feed(b"a NOOP {5000+}\r\n", [])[0] == [Hopeless()]


def test_expected_lines() -> None:
    machine = ImapMachine(LIMITS)
    machine.expect_line()
    machine.receive_data(b"{5}\r\na NOOP\r\n")
    assert machine.next_event() == Line(b"{5}")
    assert machine.next_event() == Command("a", "NOOP", b"", (), 6)
    machine.expect_line()
    machine.receive_data(b"x" * 150 + b"\r\nb NOOP\r\n")
    assert machine.next_event() == Malformed(None, None, Fault.TOO_LONG)
    assert machine.next_event() == Command("b", "NOOP", b"", (), 6)
    machine.expect_line()
    machine.receive_data(b"DONE\nc NOOP\r\n")
    assert machine.next_event() == Malformed(None, None, Fault.BARE_LF)


def test_bare_line_feeds_and_nuls() -> None:
    assert feed(b"a NOOP\nb NO\0OP\r\n", [])[0][:-1] == [
        Malformed("a", "NOOP", Fault.BARE_LF),
        Malformed("b", None, Fault.NUL),
    ]


def test_input_before_tls_is_forgotten() -> None:
    machine = ImapMachine()
    machine.receive_data(b"a STARTTLS\r\nb LOGIN x {5}\r\nab")
    assert isinstance(machine.next_event(), Command)
    assert machine.next_event() is None
    machine.discard_input()
    machine.receive_data(b"c NOOP\r\n")
    assert machine.next_event() == Command("c", "NOOP", b"", (), 6)


def test_a_large_literal_in_many_pieces() -> None:
    machine = ImapMachine(Limits(message=10_000_000))
    machine.receive_data(b"a APPEND x {1000000+}\r\n")
    for _ in range(1000):
        assert machine.next_event() is None
        machine.receive_data(b"z" * 1000)
    machine.receive_data(b"\r\n")
    event = machine.next_event()
    assert isinstance(event, Command) and event.literals == (b"z" * 1_000_000,)
