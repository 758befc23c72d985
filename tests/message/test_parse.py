"""The MIME tree: real mail beside Python's own parser, and any bytes."""

import email
import email.message
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.message.digest import digest
from everpost.message.parse import MAX_DEPTH, MAX_PARTS, pack, parse, unpack
from everpost.message.part import Part
from tests.corpus import crlf, mails

# What Python's parser makes of these differs for a reason of its own: it puts parameters into the type.
ODD_TYPES = {"odd-enmime-045.eml", "odd-enmime-049.eml"}


def theirs(message: email.message.Message) -> object:
    kind = message.get_content_type()
    if kind == "message/delivery-status":
        # Python splits it into blocks of fields; it is a leaf to everybody else.
        return kind, None
    if message.is_multipart():
        return kind, [theirs(part) for part in message.get_payload()]
    payload = message._payload
    return kind, len(payload.encode("ascii", "surrogateescape"))


def ours(part: Part) -> object:
    kind = f"{part.type}/{part.subtype}"
    if kind == "message/delivery-status":
        return kind, None
    if part.children:
        return kind, [ours(child) for child in part.children]
    return kind, part.size


def is_well_formed(message: email.message.Message) -> bool:
    return not any(part.defects for part in message.walk())


def check(part: Part, start: int, end: int) -> None:
    """Offsets are ordered and lie inside the parent's body."""
    assert start <= part.header_start <= part.body_start <= part.body_end <= end
    place = part.body_start
    for child in part.children:
        check(child, place, part.body_end)
        place = child.body_end


@pytest.mark.parametrize("path", mails("mail", "lists"), ids=lambda path: path.name)
def test_real_mail(path: Path) -> None:
    for raw in (path.read_bytes(), crlf(path.read_bytes())):
        message = parse(raw)
        check(message.root, 0, len(raw))
        assert unpack(pack(message.root)) == message.root
        made = digest(raw)
        assert made.envelope.startswith(b"(") and made.bodystructure.startswith(b"(")
    peer = email.message_from_bytes(raw)
    if is_well_formed(peer) and path.name not in ODD_TYPES:
        assert ours(message.root) == theirs(peer)


def test_most_real_mail_is_compared() -> None:
    peers = [email.message_from_bytes(crlf(path.read_bytes())) for path in mails("mail", "lists")]
    assert sum(map(is_well_formed, peers)) > 400


def test_parts_can_be_found_by_their_numbers() -> None:
    raw = crlf(
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\nfirst\n--a\nContent-Type: message/rfc822\n\n"
        b"Subject: inner\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\n"
        b"Content-Type: text/html\n\n<p>\n--b--\n--a\nContent-Type: message/rfc822\n\nSubject: plain\n\nbody\n--a--\n"
    )
    root = parse(raw).root

    def text(section: str) -> bytes | None:
        part = root.find(section)
        return None if part is None else raw[part.body_start : part.body_end]

    assert text("1") == b"first"
    assert text("2.1") == b"plain"
    assert text("2.2") == b"<p>"
    assert text("3.1") == b"body"
    for missing in ("0", "4", "1.1", "2.3", "2.1.1", "3.2", "x", "", "1.", "99999999999"):
        assert text(missing) is None
    assert root.find("2").embedded is not None
    single = parse(b"Subject: x\r\n\r\nhello").root
    assert single.find("1") is single
    assert single.find("2") is None and single.find("1.1") is None


@pytest.mark.parametrize(
    "raw, expected",
    [
        (b"", ("text/plain", 0)),
        (b"\r\nbody", ("text/plain", 4)),
        (b"Subject: x", ("text/plain", 0)),
        (b"Content-Type: nonsense\r\n\r\nab", ("text/plain", 2)),
        (b"Content-Type: text/html (a comment); charset=x\r\n\r\nab", ("text/html", 2)),
        (b"Content-Type: multipart/mixed\r\n\r\nab", ("multipart/mixed", [("text/plain", 0)])),
        (b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx", ("multipart/mixed", [("text/plain", 1)])),
        (
            b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--ab\r\n--a\t \r\n\r\nx\r\n--ab\r\ny\r\n--a--",
            ("multipart/mixed", [("text/plain", 10)]),
        ),
        (
            b"Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: y\r\n\r\nz\r\n--a--",
            ("multipart/digest", [("message/rfc822", [("text/plain", 1)])]),
        ),
        (
            b"Content-Type: multipart/mixed; boundary*0*=us-ascii''a%20; boundary*1=b\r\n\r\n--a b\r\n\r\nx\r\n--a b--",
            ("multipart/mixed", [("text/plain", 1)]),
        ),
    ],
)
def test_odd_forms(raw: bytes, expected: object) -> None:
    assert ours(parse(raw).root) == expected


def test_hostile_depth_and_number_are_bounded() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500))
    depth = 0
    part = parse(deep).root
    while part.children:
        part = part.children[0]
        depth += 1
    assert depth <= MAX_DEPTH + 1
    wide = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5000
    assert len(parse(wide).root.children) <= MAX_PARTS
    digest(deep)
    digest(wide)


SOUP = st.lists(
    st.sampled_from(
        [
            b"Content-Type: multipart/mixed; boundary=a\r\n",
            b"Content-Type: message/rfc822\n",
            b'content-type : text/html; charset="x\\"y"; name*=utf-8\'\'%e2%82\r\n',
            b'From: "A, B" <a@b>, c@d (e), g: h@i;\r\n',
            b"Subject: =?utf-8?q?=c3?=\r\n =?utf-8?q?=bc?=\r\n",
            b"Content-Disposition: attachment; filename=x\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"--a",
            b"--a--\r\n",
            b"--a\r\n",
            b"\x00\xff\xfe",
            b"text ",
            b":",
        ]
    )
    | st.binary(max_size=12),
    max_size=40,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_any_bytes_are_a_message(raw: bytes) -> None:
    message = parse(raw)
    check(message.root, 0, len(raw))
    assert unpack(pack(message.root)) == message.root
    made = digest(raw, message)
    assert made.size == len(raw)
    for form in (made.envelope, made.bodystructure):
        assert b"\0" not in form
        assert is_balanced(form)


def is_balanced(form: bytes) -> bool:
    """Parentheses match outside of quoted strings and literals, which have their stated length."""
    depth = place = 0
    while place < len(form):
        char = form[place : place + 1]
        if char == b'"':
            place += 1
            while form[place : place + 1] != b'"':
                place += 2 if form[place : place + 1] == b"\\" else 1
                if place >= len(form):
                    return False
        elif char == b"{":
            end = form.index(b"}\r\n", place)
            place = end + 2 + int(form[place + 1 : end])
        elif char == b"(":
            depth += 1
        elif char == b")":
            depth -= 1
            if depth < 0:
                return False
        elif char in {b"\r", b"\n"} or char > b"~":
            return False
        place += 1
    return depth == 0
