"""Replies, written and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.core.errors import ProtocolError
from everpost.smtp.wire.client import MAX_REPLY, BadReply, ReplyReader, command, parameter
from everpost.smtp.wire.reply import Reply


def read(data: bytes, size: int = 0) -> list[Reply]:
    reader = ReplyReader()
    found = []
    for start in range(0, len(data), size or len(data)):
        reader.feed(data[start : start + size] if size else data)
        while (reply := reader.next_reply()) is not None:
            found.append(reply)
    return found


def test_written() -> None:
    assert Reply(250, "2.0.0", "OK").to_bytes() == b"250 2.0.0 OK\r\n"
    assert Reply(250, None, ("a", "b")).to_bytes() == b"250-a\r\n250 b\r\n"
    assert Reply(550, "5.7.1", ("a", "b")).to_bytes() == b"550-5.7.1 a\r\n550 5.7.1 b\r\n"


def test_a_text_cannot_forge_a_line() -> None:
    assert Reply(550, "5.1.1", "a\r\n250 fine\0").to_bytes() == b"550 5.1.1 a 250 fine \r\n"
    assert len(Reply(550, "5.1.1", "ä" * 1000).to_bytes()) <= 512


def test_kinds() -> None:
    codes = (250, 354, 451, 550)
    assert [Reply(code, None, "").is_positive for code in codes] == [True, False, False, False]
    assert [Reply(code, None, "").is_temporary for code in codes] == [False, False, True, False]
    assert [Reply(code, None, "").is_permanent for code in codes] == [False, False, False, True]


@pytest.mark.parametrize(
    ("data", "code", "status", "lines"),
    [
        (b"250 2.1.0 fine\r\n", 250, "2.1.0", ("fine",)),
        (b"250\r\n", 250, None, ("",)),
        (b"250 fine\n", 250, None, ("fine",)),
        (b"550-5.1.1 a\r\n550 5.1.1 b\r\n", 550, "5.1.1", ("a", "b")),
        (b"550-a\r\n451 b\r\n", 451, None, ("a", "b")),
        # A status of another class than the code is text.
        (b"450 5.1.1 what\r\n", 450, None, ("5.1.1 what",)),
        (b"550 5.1.1\r\n", 550, "5.1.1", ("",)),
        (b"550 caf\xe9\r\n", 550, None, ("caf\ufffd",)),
    ],
)
def test_read(data: bytes, code: int, status: str | None, lines: tuple[str, ...]) -> None:
    for size in (0, 1, 3):
        (reply,) = read(data, size)
        assert (reply.code, reply.status, reply.lines) == (code, status, lines)


@pytest.mark.parametrize("data", [b"\r\n", b"hello\r\n", b"150 x\r\n", b"650 x\r\n", b"25 x\r\n"])
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(BadReply):
        read(data)


def test_endless_replies_are_cut_off() -> None:
    with pytest.raises(BadReply):
        read(b"250-" + b"x" * MAX_REPLY)
    with pytest.raises(BadReply):
        read(b"250-" + b"x" * 1000 + b"\r\n" + b"250-x\r\n" * 1000, 100)
    with pytest.raises(BadReply):
        read((b"250-" + b"x" * 1000 + b"\r\n") * 100, 100)


@given(st.binary(min_size=1, max_size=200), st.integers(1, 20))
def test_any_bytes_are_survived(data: bytes, size: int) -> None:
    try:
        whole = read(data)
    except BadReply:
        whole = None
    try:
        pieces = read(data, size)
    except BadReply:
        pieces = None
    assert whole == pieces


@given(st.sampled_from([220, 250, 354, 421, 451, 550]), st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_what_is_written_can_be_read(code: int, lines: list[str]) -> None:
    (reply,) = read(Reply(code, None, tuple(lines)).to_bytes())
    assert reply.code == code
    assert len(reply.lines) == len(lines)


def test_a_command_cannot_be_broken() -> None:
    assert command("RCPT TO:<b@example.org>", "", "A=B") == b"RCPT TO:<b@example.org> A=B\r\n"
    for text in ("a\r", "a\nb", "a\0"):
        with pytest.raises(ProtocolError):
            command("MAIL FROM:<" + text + ">")


def test_parameters_are_xtext() -> None:
    assert parameter("ENVID", "a b+c=d") == "ENVID=a+20b+2Bc+3Dd"
    assert parameter("ENVID", "") == ""
