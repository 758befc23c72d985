"""Address lists: the forms of the RFCs, the forms people send, and the corpus."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.message.addresses import Group, Mailbox, parse_list
from everpost.message.fields import Fields
from everpost.message.words import decode
from tests.corpus import corpus


def box(local: str, domain: str | None, name: str | None = None) -> Mailbox:
    return Mailbox(name, local, domain)


@pytest.mark.parametrize(
    "value, expected",
    [
        ("", []),
        (",, ,", []),
        ("a@b", [box("a", "b")]),
        ("<a@b>", [box("a", "b")]),
        ("Foo Bar <a@b>", [box("a", "b", "Foo Bar")]),
        ('"Foo, \\"B\\"" <a@b>, c@d', [box("a", "b", 'Foo, "B"'), box("c", "d")]),
        ("J (x) <a@b>", [box("a", "b", "J")]),
        ("a@b (Comment (nested) x)", [box("a", "b", "Comment (nested) x")]),
        ('G: a@b, "C" <c@d>; e@f', [Group("G", (box("a", "b"), box("c", "d", "C"))), box("e", "f")]),
        ("undisclosed-recipients:;", [Group("undisclosed-recipients", ())]),
        ("undisclosed-recipients", [box("undisclosed-recipients", None)]),
        ("a . b @ x . y", [box("a.b", "x.y")]),
        ("<@r,@s:a@b>, x@y", [box("a", "b"), box("x", "y")]),
        ("x@[1.2.3.4]", [box("x", "[1.2.3.4]")]),
        ('"a b"@c', [box("a b", "c")]),
        ('"a@b"@c', [box("a@b", "c")]),
        ("foo@bar.com <foo@bar.com>", [box("foo", "bar.com", "foo@bar.com")]),
        ("a@b;c@d", [box("a", "b"), box("c", "d")]),
        ("Jörg <ü@ö.example>", [box("ü", "ö.example", "Jörg")]),
        ("<a@b> Foo, <c@d> Bar <e@f>", [box("a", "b", "Foo"), box("c", "d"), box("e", "f", "Bar")]),
        ("a@", [box("a", None)]),
        ("<>", []),
    ],
)
def test_forms(value: str, expected: list[Mailbox | Group]) -> None:
    assert parse_list(value) == expected
    assert parse_list(value.encode()) == expected


def flat(found: list[Mailbox | Group]) -> list[Mailbox]:
    return [each for entry in found for each in (entry.members if isinstance(entry, Group) else (entry,))]


def corpus_lists() -> list[tuple[str, list[dict[str, str | None]]]]:
    cases = []
    for case in json.loads((corpus() / "mime" / "headers" / "address.json").read_text()):
        header, expected = case["header"], case["expected"]
        # Ours keeps comments out of addresses that have a name, takes routes off, and leaves URLs of List-* alone.
        if any(mark in header for mark in ("(", "<@", "://", "mailto:", "test  . example")):
            continue
        if "List" in expected:
            entries = expected["List"]
        else:
            entries = [each for group in expected["Group"] for each in group["addresses"]]
        cases.append((header, entries))
    assert len(cases) > 35
    return cases


@pytest.mark.parametrize("header, expected", corpus_lists())
def test_corpus(header: str, expected: list[dict[str, str | None]]) -> None:
    value = Fields(b"To:" + header.encode()).get("to")
    assert value is not None
    found = [
        (each.name and " ".join(decode(each.name.encode()).split()), f"{each.local}@{each.domain}")
        for each in flat(parse_list(value))
    ]
    wanted = [(each["name"] and " ".join(each["name"].split()), each["address"]) for each in expected]
    if "ISO-8859-1?Q =?" not in header:
        assert found == wanted
    else:
        # A word that is broken off: what of it is shown is a matter of taste.
        assert [address for _, address in found] == [address for _, address in wanted]


# Categories of addresses that are right, and have neither comments nor folds.
PLAIN = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321", "ISEMAIL_RFC5322"}


def isemail(*, plain: bool) -> list[str]:
    tests = ElementTree.parse(corpus() / "mime" / "isemail-tests.xml").getroot().iter("test")
    cases = [
        # Control characters stand there as the pictures of them.
        "".join(
            chr(ord(char) - 0x2400) if 0x2400 <= ord(char) < 0x2420 else char for char in test.findtext("address") or ""
        )
        for test in tests
        if (test.findtext("category") in PLAIN) == plain
    ]
    assert len(cases) > 50
    return cases


@pytest.mark.parametrize("address", [each for each in isemail(plain=True) if not set(each) & set("(\r\n\t")])
def test_isemail_right_addresses_are_one_mailbox(address: str) -> None:
    local, _, domain = address.rpartition("@")
    if local.startswith('"'):
        local = local[1:-1].replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
    assert parse_list(address) == [Mailbox(None, local, domain)]
    assert parse_list(f"<{address}>") == [Mailbox(None, local, domain)]


@pytest.mark.parametrize("address", isemail(plain=False))
def test_isemail_wrong_addresses_do_no_harm(address: str) -> None:
    after = flat(parse_list(f"x@before.test, {address}"))
    assert after[0] == Mailbox(None, "x", "before.test")


WORD = st.text("abcdefghij0123456789-_+", min_size=1, max_size=8)
QUOTED = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=10)


@given(st.lists(st.tuples(QUOTED, WORD, WORD), min_size=1, max_size=5))
def test_quoted_names_come_back(entries: list[tuple[str, str, str]]) -> None:
    escaped = [name.replace("\\", "\\\\").replace('"', '\\"') for name, _, _ in entries]
    text = ", ".join(f'"{name}" <{local}@{domain}>' for name, (_, local, domain) in zip(escaped, entries, strict=True))
    found = parse_list(text)
    assert [(each.name or "").strip(" ") for each in flat(found)] == [name.strip(" ") for name, _, _ in entries]
    assert [(each.local, each.domain) for each in flat(found)] == [(local, domain) for _, local, domain in entries]


@given(st.text('ab@.,;:<>()[]"\\ \t\u00e9', max_size=40) | st.binary(max_size=40))
def test_any_text_is_a_list(value: str | bytes) -> None:
    for each in flat(parse_list(value)):
        assert each.local or each.domain or each.name
