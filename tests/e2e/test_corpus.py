"""Real mail goes in by SMTP and comes out by IMAP and POP3, byte for byte, with a BODYSTRUCTURE others agree with.

All of the corpus can be carried by SMTP once its line ends are CRLF (none of it holds a CR alone or a NUL;
lines longer than RFC 5321 allows are taken). What SMTP cannot carry is made up here and appended by IMAP.
"""

import email
import imaplib
import poplib
import re
import smtplib
import time
from collections.abc import Iterator

import pytest

from tests.corpus import crlf, mails
from tests.e2e.mailing import SENDER, User, ok, untraced
from tests.e2e.structure import body_of, comparable, python_shape, read, shape
from tests.servers.node import Node

# Python's parser puts their parameters into the type.
ODD_TYPES = {"odd-enmime-045.eml", "odd-enmime-049.eml"}


def terminated(raw: bytes) -> bytes:
    """As SMTP delivers it: with an end to its last line."""
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


@pytest.fixture(scope="module")
def sent() -> dict[str, bytes]:
    """The corpus as it is sent, by file name."""
    return {path.name: terminated(crlf(path.read_bytes())) for path in mails("mail")}


@pytest.fixture(scope="module")
def reader(node: Node, users: Iterator[User], sent: dict[str, bytes]) -> User:
    """An account that has been sent the whole corpus, one message after the other."""
    user = next(users)
    with smtplib.SMTP("127.0.0.1", node.port("smtp"), local_hostname="client.elsewhere.test", timeout=60) as client:
        client.ehlo()
        for name, raw in sent.items():
            assert client.mail(SENDER, ["BODY=8BITMIME"])[0] == 250, name
            assert client.rcpt(user.address)[0] == 250, name
            answer = client.data(raw)
            assert answer[0] == 250, (name, answer)
    return user


@pytest.fixture(scope="module")
def stored(reader: User) -> list[bytes]:
    """What IMAP gives back, in the order of UIDs."""
    with reader.imap() as client:
        parts = [part for part in ok(client.fetch("1:*", "(BODY.PEEK[])")) if isinstance(part, tuple)]
    return [part[1] for part in parts]


def test_imap_gives_back_every_byte(sent: dict[str, bytes], stored: list[bytes]) -> None:
    assert len(sent) == 330
    assert len(stored) == len(sent)
    for (name, raw), got in zip(sent.items(), stored, strict=True):
        assert got.endswith(raw), name
        # What is before it is trace fields and nothing else.
        assert untraced(got[: len(got) - len(raw)] + b"\r\n") == b"\r\n", name
        assert got.startswith(b"Return-Path: <"), name


def test_pop3_gives_the_same_bytes(reader: User, stored: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    # Lines of the corpus are longer than poplib thinks that lines are.
    monkeypatch.setattr(poplib, "_MAXLINE", 1 << 20)
    with reader.pop3() as client:
        assert client.stat() == (len(stored), sum(map(len, stored)))
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        assert sizes == [len(raw) for raw in stored]
        for number, raw in enumerate(stored, 1):
            assert b"\r\n".join(client.retr(number)[1]) + b"\r\n" == raw, number


def bodystructures(client: imaplib.IMAP4) -> list[bytes]:
    """The BODYSTRUCTURE of every message, literals in their places."""
    found: list[bytes] = []
    open_part = b""
    for part in ok(client.fetch("1:*", "(BODYSTRUCTURE)")):
        if isinstance(part, tuple):
            open_part += part[0] + b"\r\n" + part[1]
            continue
        whole = open_part + part
        open_part = b""
        found.append(whole[whole.index(b"BODYSTRUCTURE ") + len(b"BODYSTRUCTURE ") :])
    return found


def peers_view(raw: bytes) -> bytes:
    """Without the line that begins a message in an mbox file, which Python's parser takes only as the very first."""
    return re.sub(rb"^From [^\r\n]*\r\n", b"", untraced(raw))


def test_bodystructure_agrees_with_pythons_parser(reader: User, sent: dict[str, bytes], stored: list[bytes]) -> None:
    with reader.imap() as client:
        structures = bodystructures(client)
    assert len(structures) == len(stored)
    compared = 0
    for name, raw, structure in zip(sent, stored, structures, strict=True):
        value, end = read(structure)
        assert structure[end:] == b")", (name, structure[end:])
        ours = shape(value)
        message = email.message_from_bytes(peers_view(raw))
        if name not in ODD_TYPES and not any(part.defects for part in message.walk()):
            compared += 1
            assert comparable(ours) == comparable(python_shape(message)), name
    assert compared > 300


def test_parts_read_by_their_numbers_are_what_the_structure_says(reader: User, stored: list[bytes]) -> None:
    with reader.imap() as client:
        for number in range(1, len(stored) + 1, 7):
            message = email.message_from_bytes(stored[number - 1])
            if message.get_content_maintype() != "multipart" or any(part.defects for part in message.walk()):
                continue
            for section, part in enumerate(message.get_payload(), 1):
                if not part.is_multipart():
                    answer = ok(client.fetch(str(number), f"(BODY.PEEK[{section}])"))
                    body = answer[0][1] if isinstance(answer[0], tuple) else b""
                    assert body == body_of(part), (number, section)


ODD = {
    "a CR alone": b"Subject: odd\r\n\r\none\rtwo\r\n",
    "an LF alone": b"Subject: odd\r\n\r\none\ntwo\r\n",
    "no end of line": b"Subject: odd\r\n\r\nno end",
    "no body": b"Subject: odd\r\n",
    "no header": b"\r\nbody\r\n",
    "nothing but dots": b"Subject: odd\r\n\r\n.\r\n..\r\n...\r\n",
    "8 bit in the header": b"Subject: \xff\xfe\r\n\r\n\x80\x81\r\n",
    "a line of 100,000": b"Subject: odd\r\n\r\n" + b"x" * 100_000 + b"\r\n",
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD.keys())
def test_what_smtp_cannot_carry_is_appended_and_read_by_imap(user: User, raw: bytes) -> None:
    with user.imap() as client:
        # imaplib would turn every line end into CRLF, so its literal is set by hand.
        client.literal = raw
        date = imaplib.Time2Internaldate(time.time())
        ok(client._simple_command("APPEND", "INBOX", r"(\Seen)", date))
        ok(client.noop())
        parts = [part for part in ok(client.fetch("1", "(BODY.PEEK[])")) if isinstance(part, tuple)]
        assert parts[0][1] == raw
        structure = bodystructures(client)[0]
        assert read(structure)[0]


@pytest.mark.parametrize("ending", [b"\r", b"\n"], ids=["CR", "LF"])
def test_smtp_refuses_line_ends_that_are_none(node: Node, user: User, ending: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", node.port("smtp"), timeout=30) as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(user.address)
        code, text = client.data(b"Subject: odd\r\n\r\none" + ending + b"two\r\n")
    assert code == 550
    assert text.startswith(b"5.6.0 ")
    assert user.subjects() == []
