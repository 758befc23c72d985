"""Signatures never deny a text that is there, seldom claim one that is not, and are small."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.message.parse import parse
from everpost.message.signature import VERSION, Probe, Signature, body_text, fold, header_text, sign
from everpost.message.words import decode, to_unicode
from tests.corpus import crlf, mails

TEXTS = st.text(min_size=0, max_size=400) | st.text(alphabet="abcß ÄİK漢字かな한글\n🎉", max_size=400)


def made(text: str) -> Signature:
    raw = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode("utf-8", "surrogatepass")
    signature = Signature.of(sign(raw, parse(raw).root))
    assert signature is not None
    return signature


@settings(max_examples=150)
@given(TEXTS, st.integers(0, 400), st.integers(0, 40))
def test_no_substring_is_ever_denied(text: str, start: int, length: int) -> None:
    raw = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()
    root = parse(raw).root
    folded = body_text(raw, root).decode()
    wanted = folded[start : start + length].encode()
    signature = Signature.of(sign(raw, root))
    assert signature is not None
    assert signature.may_hold(wanted, body_only=True)
    assert signature.may_hold(wanted, body_only=False)


@settings(max_examples=100)
@given(TEXTS, TEXTS)
def test_folded_bytes_contain_each_other_as_folded_text_does(one: str, two: str) -> None:
    assert (fold(two) in fold(one)) == (two.casefold() in one.casefold())


@pytest.mark.parametrize("repeat", [1, 40_000])
def test_long_texts_and_piece_borders(repeat: int) -> None:
    chance = random.Random(5)
    text = "".join(chance.choice("abcdefghij ") for _ in range(300_000 // repeat)) + "needle" * repeat
    signature = made(text)
    folded = fold(text)
    for place in (*range(262_130, 262_160), *chance.sample(range(len(folded)), 200)):
        assert signature.may_hold(folded[place : place + 12], body_only=True)
    assert signature.may_hold(folded[-3:], body_only=True)


def test_languages() -> None:
    signature = made("Die Donaudampfschifffahrtsgesellschaft\r\nGRÜSSE aus Köln\r\n東京都に住んでいます\r\n한국어 메일")
    for wanted in ("dampfschiff", "grüße", "KÖLN", "東京", "都に住", "住", "국어"):
        assert signature.may_hold(fold(wanted), body_only=True), wanted
    for wanted in ("dampflok", "koblenz", "大阪", "일본"):
        assert not signature.may_hold(fold(wanted), body_only=True), wanted


def test_header_and_body_are_told_apart() -> None:
    raw = b"Subject: =?utf-8?B?R3LDvMOfZQ==?= wellington\r\n\r\nnapoleon\r\n"
    signature = Signature.of(sign(raw, parse(raw).root))
    assert signature is not None
    assert signature.may_hold(b"wellington", body_only=False)
    assert signature.may_hold(fold("GRÜSSE"), body_only=False)
    assert not signature.may_hold(b"wellington", body_only=True)
    assert signature.may_hold(b"napoleon", body_only=False)


def test_real_mail_is_never_denied_and_seldom_claimed() -> None:
    chance = random.Random(9)
    signed = []
    for path in mails("mail", "lists"):
        raw = crlf(path.read_bytes())
        root = parse(raw).root
        data = sign(raw, root)
        signature = Signature.of(data)
        assert signature is not None
        header, body = header_text(raw, root), body_text(raw, root)
        # Of a message as it is stored, its body compressed, hardly more than a fifth.
        assert len(data) < 200 + len(raw) * 0.25, path
        signed.append((signature, header, body))
        for text, body_only in ((header, False), (body, True), (body, False)):
            for _ in range(10):
                place = chance.randrange(max(1, len(text)))
                wanted = text[place : place + chance.randrange(1, 20)]
                assert signature.may_hold(wanted, body_only=body_only), (path, wanted)
    words = sorted({word for _, _, body in signed for word in re.findall(rb"[a-z]{8,12}", body)})
    claimed = absent = 0
    for word in chance.sample(words, 40):
        for signature, _, body in signed:
            if word not in body:
                absent += 1
                claimed += signature.may_hold(word, body_only=True)
    assert claimed / absent < 0.08


def test_anything_else_is_no_signature() -> None:
    good = sign(b"a: b\r\n\r\nc", parse(b"a: b\r\n\r\nc").root)
    assert Signature.of(good) is not None
    for bad in (b"", bytes((VERSION,)), good[:-1], good + b"x", bytes((VERSION + 1,)) + good[1:]):
        assert Signature.of(bad) is None
    assert Probe.of(b"ab") is None


@given(st.binary(max_size=300))
def test_any_bytes_are_signed(raw: bytes) -> None:
    assert Signature.of(sign(raw, parse(raw).root)) is not None


def test_charsets_that_cost_too_much_or_mean_nothing_are_read_as_utf8() -> None:
    assert to_unicode(b"a-b\xc3\xbc" * 100_000, "punycode") == "a-bü" * 100_000
    assert to_unicode(b"\\ud800", "unicode_escape") == "\\ud800"


def test_many_adjacent_encoded_words_are_one_text() -> None:
    words = b"\r\n ".join([b"=?utf-8?B?w7w=?=", b"=?UTF-8?Q?=C3?=", b"=?utf-8?Q?=BC_?="] * 5_000)
    assert decode(b"a " + words + b" b") == "a " + "üü " * 5_000 + " b"
