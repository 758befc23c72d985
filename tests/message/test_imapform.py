"""ENVELOPE, BODY and BODYSTRUCTURE, letter by letter (RFC 9051 section 7.5.2)."""

import pytest

from everpost.message import imapform
from everpost.message.parse import parse
from tests.corpus import crlf


def envelope(raw: bytes) -> bytes:
    return imapform.envelope(parse(crlf(raw)).envelope)


def body(raw: bytes) -> bytes:
    return imapform.body(parse(crlf(raw)).root)


def bodystructure(raw: bytes) -> bytes:
    return imapform.bodystructure(parse(crlf(raw)).root)


@pytest.mark.parametrize(
    "value, form",
    [
        (None, b"NIL"),
        (b"", b'""'),
        (b"a b", b'"a b"'),
        (b'say "hi" \\o/', b'"say \\"hi\\" \\\\o/"'),
        (b"a\tb", b'"a\tb"'),
        ("ü".encode(), b"{2}\r\n\xc3\xbc"),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"a\x7f", b"{2}\r\na\x7f"),
        (b"a\0b", b"{2}\r\nab"),
    ],
)
def test_strings(value: bytes | None, form: bytes) -> None:
    assert imapform.string(value) == form


def test_envelope_of_the_rfc() -> None:
    # RFC 9051 section 8, the session's FETCH FULL.
    raw = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nFrom: Terry Gray <gray@cac.washington.edu>\n"
        b"Subject: IMAP4rev2 WG mtg summary and minutes\nTo: imap@cac.washington.edu\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\n"
        b"Message-Id: <B27397-0100000@cac.washington.ed>\n\nx\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert envelope(raw) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" %b %b %b '
        b'((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")'
        b'("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.ed>")' % (gray, gray, gray)
    )


def test_envelope_of_nothing() -> None:
    assert envelope(b"") == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_envelope_with_groups_and_other_senders() -> None:
    raw = (
        b"Subject: =?utf-8?q?raw=20?=\n word\nFrom: a@b\nSender: c@d\nReply-To: e@f\n"
        b"To: Team: x@y, Z <z@y>;, undisclosed:;\nBcc: g\nIn-Reply-To: <1@x>\n <2@x>\n\n"
    )
    assert envelope(raw) == (
        b'(NIL "=?utf-8?q?raw=20?= word" ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) ((NIL NIL "e" "f")) '
        b'((NIL NIL "Team" NIL)(NIL NIL "x" "y")("Z" NIL "z" "y")(NIL NIL NIL NIL)'
        b'(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)) NIL ((NIL NIL "g" "")) "<1@x> <2@x>" NIL)'
    )


def test_an_empty_sender_is_as_none() -> None:
    assert envelope(b"From: a@b\nSender:\n\n").count(b'"a"') == 3


def test_single_parts() -> None:
    assert body(b"Subject: x\n\na\nb\n") == b'("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 6 2)'
    assert bodystructure(b"\nlast line without end") == (
        b'("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 21 0 NIL NIL NIL NIL)'
    )
    raw = (
        b"Content-Type: image/png; name*0*=utf-8''a%20; name*1=\"b.png\"\nContent-ID: <1@x>\nContent-MD5: Q2hlY2s=\n"
        b"Content-Description: a picture\nContent-Transfer-Encoding: BASE64\nContent-Location: http://x/\n"
        b'Content-Disposition: attachment; filename="a \\"b\\".png"; size=4\nContent-Language: en, de-AT\n\nAAAA\n'
    )
    start = b'("IMAGE" "PNG" ("NAME*0*" "utf-8\'\'a%20" "NAME*1" "b.png") "<1@x>" "a picture" "BASE64" 6'
    assert body(raw) == start + b")"
    assert bodystructure(raw) == start + (
        b' "Q2hlY2s=" ("ATTACHMENT" ("FILENAME" "a \\"b\\".png" "SIZE" "4")) ("en" "de-AT") "http://x/")'
    )
    assert b'NIL ("INLINE" NIL) "en" NIL)' in bodystructure(
        b"Content-Type: text/html; charset=utf-8\nContent-Disposition: inline\nContent-Language: en\n\n"
    )


NESTED = (
    b"Content-Type: multipart/mixed; boundary=a\nContent-Language: en\n\npreamble\n--a\n\nfirst\n--a\n"
    b"Content-Type: message/rfc822\nContent-Description: fwd\n\nSubject: inner\nFrom: x@y\n"
    b"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\np\n--b\n"
    b"Content-Type: text/html\nContent-Disposition: inline\n\n<p>\n--b--\n--a--\nepilogue\n"
)


def test_nested_parts() -> None:
    sender = b'((NIL NIL "x" "y"))'
    inner = crlf(NESTED.partition(b"fwd\n\n")[2].partition(b"\n--a--")[0])
    size, lines = len(inner), inner.count(b"\n")
    alternatives = (
        b'("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 1 0%b)'
        b'("TEXT" "HTML" ("CHARSET" "us-ascii") NIL NIL "7BIT" 3 0%b) "ALTERNATIVE"%b'
    )
    form = (
        b'(("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 5 0%b)'
        b'("MESSAGE" "RFC822" NIL NIL "fwd" "7BIT" %d (NIL "inner" %b %b %b NIL NIL NIL NIL NIL) (%b) %d%b) "MIXED"%b)'
    )
    assert body(NESTED) == form % (
        b"",
        size,
        sender,
        sender,
        sender,
        alternatives % (b"", b"", b""),
        lines,
        b"",
        b"",
    )
    none = b" NIL NIL NIL NIL"
    assert bodystructure(NESTED) == form % (
        none,
        size,
        sender,
        sender,
        sender,
        alternatives % (none, b' NIL ("INLINE" NIL) NIL NIL', b' ("BOUNDARY" "b") NIL NIL NIL'),
        lines,
        none,
        b' ("BOUNDARY" "a") NIL "en" NIL',
    )


def test_message_global_has_an_envelope_too() -> None:
    form = body(b"Content-Type: message/global\n\nSubject: \xc3\xbc\n\nx\n")
    assert form.startswith(b'("MESSAGE" "GLOBAL" NIL NIL NIL "7BIT" 18 (NIL {2}\r\n\xc3\xbc NIL')


def test_other_messages_are_leaves() -> None:
    assert body(b"Content-Type: message/delivery-status\n\na: b\n") == (
        b'("MESSAGE" "DELIVERY-STATUS" NIL NIL NIL "7BIT" 6)'
    )
