"""What is decoded at delivery."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.message.parse import parse
from everpost.message.subjects import base_subject
from everpost.message.summary import PREVIEW, pack, summarise, unpack
from tests.corpus import mails


@pytest.mark.parametrize(
    "subject, base, reply",
    [
        ("Hello", "Hello", False),
        ("Re: Hello", "Hello", True),
        ("RE : re[2]: Fwd:  Hello  (fwd) ", "Hello", True),
        ("[list] Re: [list] Hello", "Hello", True),
        ("[only]", "[only]", False),
        ("[fwd: Re: Hello]", "Hello", True),
        ("Reply: not a reply", "Reply: not a reply", False),
        ("  a \t b  ", "a b", False),
        ("", "", False),
        ("Re:", "", True),
        ("re: [a] [b] c", "c", True),
    ],
)
def test_base_subjects(subject: str, base: str, reply: bool) -> None:
    assert base_subject(subject) == (base, reply)


RAW = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <juergen@example.test>, b@x.test\r\nTo: team: ann@x.test, bob@x.test;\r\n"
    b"Cc: (none) c@x.test\r\nSubject: Re: [l] =?utf-8?b?R3LDvMOfZQ==?=\r\nDate: Mon, 2 Nov 2026 23:30:00 -0800\r\n"
    b"Message-ID: <a@b>\r\nIn-Reply-To: <x@y>\r\nReferences: <1@y> junk <2@y>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    b"<style>p{}</style><p>Hello &amp;\r\n  <b>goodbye</b></p><!-- x -->\r\n--b\r\n"
    b"Content-Type: application/pdf\r\n\r\nx\r\n--b--\r\n"
)


def test_everything_is_found() -> None:
    found = summarise(parse(RAW))
    assert found.subject == "Re: [l] Grüße" and found.base_subject == "Grüße" and found.is_reply
    assert found.from_ == "Jürgen <juergen@example.test>, b@x.test"
    assert (found.from_key, found.from_name, found.to_key, found.to_name) == (
        "juergen",
        "Jürgen",
        "ann",
        "ann@x.test",
    )
    assert found.sent_ms == 1_793_691_000_000
    assert found.sent_day == 1_793_577_600 // 86_400, "the second of November, as written"
    assert (found.message_id, found.references) == ("a@b", ("1@y", "2@y"))
    assert found.preview == "Hello & goodbye"
    assert found.attachments


def test_the_first_of_in_reply_to_stands_in_for_references() -> None:
    assert summarise(parse(b"In-Reply-To: <a@b> <c@d>\r\n\r\n")).references == ("a@b",)
    assert summarise(parse(b"References: none\r\nIn-Reply-To: x\r\n\r\n")).references == ()


def test_real_mail_is_summarised() -> None:
    previews = 0
    for path in mails("mail", "lists"):
        found = summarise(parse(path.read_bytes()))
        assert unpack(pack(found)) == found
        assert len(found.preview) <= PREVIEW and "\n" not in found.preview
        previews += bool(found.preview)
    assert previews > 440


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=100))
def test_any_header_is_survived(header: bytes, body: bytes) -> None:
    found = summarise(parse(b"Subject: " + header + b"\r\nFrom: " + header + b"\r\n\r\n" + body))
    assert unpack(pack(found)) == found


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_base_subjects_are_steady(subject: str) -> None:
    base, _ = base_subject(subject)
    assert base_subject(base)[0] == base
