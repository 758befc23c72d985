"""Arguments of commands, as values."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.access.imap.wire import response
from everpost.access.imap.wire.grammar import (
    append,
    dates,
    fetch,
    flags,
    listing,
    metadata,
    qresync,
    search,
    sets,
    status,
    store,
    urls,
)
from everpost.access.imap.wire.grammar.fetch import Body, Item, Kind, Partial, Section
from everpost.access.imap.wire.grammar.search import BadCharset, TooComplex
from everpost.access.imap.wire.grammar.sets import NumberSet
from everpost.access.imap.wire.names import BadName
from everpost.access.imap.wire.tokens import Reader, SyntaxFault
from everpost.core.errors import EverpostError
from everpost.mailbox import criteria
from everpost.mailbox.criteria import LAST, spans

WORDS = (
    "1 2:4 * 3,* $ ALL NOT OR ( ) (( )) [ ] < > FLAGS BODY[ BODY[1.MIME] BODY.PEEK[HEADER.FIELDS (a)]<0.1> "
    "RETURN (MIN) SAVE CHARSET UTF-8 KEYWORD x UID 1:* SINCE 1-Jan-2000 MODSEQ 5 +FLAGS -FLAGS.SILENT (\\Seen) "
    '"a "b" "\\\\" "un {3} {0} ~{1} NIL % "" SUBSCRIBED RECURSIVEMATCH STATUS (MESSAGES) CHANGEDSINCE'
)
words = st.sampled_from(WORDS.split(" "))
texts = st.one_of(
    st.binary(max_size=60),
    st.lists(words, max_size=12).map(lambda parts: " ".join(parts).encode()),
    st.lists(words, max_size=12).map(lambda parts: "".join(parts).encode()),
)


@settings(max_examples=400)
@given(texts, st.lists(st.binary(max_size=5), max_size=3))
def test_any_bytes_are_read_or_refused(text: bytes, literals: list[bytes]) -> None:
    for read in (
        fetch.fetch,
        store.store,
        qresync.resync,
        lambda reader: metadata.get(reader, utf8=False),
        lambda reader: metadata.set_values(reader, utf8=False),
        lambda reader: append.append(reader, utf8=False),
        lambda reader: urls.message_url(b"/" + reader.text),
        lambda reader: search.search(reader, (1, 2)),
        lambda reader: listing.listing(reader, utf8=False),
        lambda reader: listing.lsub(reader, utf8=True),
        lambda reader: append.append(reader, utf8=False),
        sets.number_set,
        status.status_items,
        dates.day,
        dates.date_time,
        flags.flags,
        lambda reader: reader.nstring(),
    ):
        reader = Reader(text, tuple(literals))
        try:
            read(reader)
        except EverpostError as error:
            assert error.text.isprintable()


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50) | st.just(LAST)), min_size=1, max_size=10))
def test_sets(ranges: list[tuple[int, int]]) -> None:
    text = ",".join(f"{low}:{high or '*'}" for low, high in ranges)
    assert sets.number_set(Reader(text.encode())) == NumberSet(tuple(ranges))
    expected = {n for low, high in ranges for n in range(min(low, high or 40), max(low, high or 40) + 1)}
    found = spans(tuple(ranges), 40)
    assert {n for low, high in found for n in range(low, high + 1)} == expected
    assert found == sorted(found)
    said = response.numbers(sorted(expected))
    again = sets.ranges(Reader(said))
    assert {n for low, high in again for n in range(low, high + 1)} == expected


@given(st.binary(max_size=80))
def test_strings_come_back(value: bytes) -> None:
    for wire in (response.string(value), response.astring(value), response.string(value, utf8=True)):
        head, separator, body = wire.partition(b"\r\n")
        literal = separator and head.startswith(b"{")
        reader = Reader(head + separator if literal else wire, (body,) if literal else ())
        assert reader.astring() == value
        reader.end()


@given(st.integers(0, 4_000_000_000))
def test_dates_come_back(seconds: int) -> None:
    assert dates.date_time(Reader(response.date_time(seconds * 1000 + 999))) == seconds * 1000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"BODY[]", Body(b"BODY[]", Section())),
        (b"body.peek[text]<5.10>", Body(b"BODY[TEXT]<5>", Section("", Kind.TEXT), Partial(5, 10), True)),
        (b"BODY[1.2.3.MIME]", Body(b"BODY[1.2.3.MIME]", Section("1.2.3", Kind.MIME))),
        (
            b'BODY[4.HEADER.FIELDS.NOT (To "x y")]',
            Body(b'BODY[4.HEADER.FIELDS.NOT (To "x y")]', Section("4", Kind.FIELDS_NOT, (b"To", b"x y"))),
        ),
        (b"BODY", Item.BODY),
        (b"Rfc822.Size", Item.SIZE),
    ],
)
def test_fetch_attributes(text: bytes, value: object) -> None:
    assert fetch.fetch(Reader(b"1 " + text)).attributes == (value,)
    assert fetch.fetch(Reader(b"1 (" + text + b" " + text + b")")).attributes == (value,)


@pytest.mark.parametrize(
    "text",
    [
        b"BODY[",
        b"BODY[1",
        b"BODY[0]",
        b"BODY[.1]",
        b"BODY[1..2]",
        b"BODY[1TEXT]",
        b"BODY[TEXT.1]",
        b"BODY[]<1>",
        b"BODY[HEADER.FIELDS]",
        b"BODY.PEEK",
        b"BINARY[TEXT]",
        b"(FAST)",
        b"FLAGS UID",
        b"(FLAGS  UID)",
        b"( FLAGS)",
    ],
)
def test_what_fetch_does_not_take(text: bytes) -> None:
    with pytest.raises(SyntaxFault):
        fetch.fetch(Reader(b"1 " + text))


def test_errors_say_where() -> None:
    with pytest.raises(SyntaxFault, match=r"at position 15$"):
        fetch.fetch(Reader(b"1:2 NONSENSE", offset=10))


def test_search_is_flat() -> None:
    found = search.search(Reader(b"OR 1 OR 2 OR 3 4 (SEEN (DRAFT)) NOT NOT ALL")).criterion
    assert found == criteria.And(
        (
            criteria.Or(tuple(criteria.Sequence(((n, n),)) for n in (1, 2, 3, 4))),
            criteria.Flag("\\Seen"),
            criteria.Flag("\\Draft"),
            criteria.All(),
        )
    )


def test_search_dates_and_charsets() -> None:
    request = search.search(
        Reader(b'RETURN (MIN SAVE) CHARSET "utf-8" SENTBEFORE "1-Feb-2020" FROM {2}\r\n', (b"\xc3\xa4",))
    )
    assert request.returned == {"MIN", "SAVE"}
    assert request.criterion == criteria.And(
        (criteria.Before(date(2020, 2, 1), sent=True), criteria.Header("from", "ä"))
    )
    with pytest.raises(BadCharset):
        search.search(Reader(b"CHARSET LATIN-9 ALL"))
    with pytest.raises(SyntaxFault):
        search.search(Reader(b"FROM {1}\r\n", (b"\xff",)))


@pytest.mark.parametrize("text", [b"NOT " * 200 + b"ALL", b"(" * 200 + b"ALL" + b")" * 200, b"OR ALL " * 200 + b"ALL"])
def test_search_bounds_depth(text: bytes) -> None:
    with pytest.raises(TooComplex):
        search.search(Reader(text))


def test_search_bounds_keys() -> None:
    assert search.search(Reader(b" ".join([b"SEEN"] * 900)))
    with pytest.raises(TooComplex):
        search.search(Reader(b" ".join([b"SEEN"] * 1100)))


def test_unfinished_quotes_take_no_time() -> None:
    reader = Reader(b'"' + b"\\a" * 30_000)
    with pytest.raises(SyntaxFault):
        reader.string()
    with pytest.raises(SyntaxFault):
        fetch.fetch(Reader(b"1 BODY[" + b"1." * 30_000))
    with pytest.raises(SyntaxFault):
        sets.ranges(Reader(b"," + b"1," * 30_000))


def test_append() -> None:
    request = append.append(Reader(b'inbox (\\Seen x) " 5-Feb-1994 00:00:00 -0100" ~{3}\r\n', (b"a\0b",)), utf8=False)
    assert (request.name, request.messages[0].parts, request.messages[0].flags) == (
        "INBOX",
        (b"a\0b",),
        {"\\Seen", "x"},
    )
    assert request.messages[0].internal_ms == 760_410_000_000
    with pytest.raises(BadName):
        append.append(Reader(b"&x {1}\r\n", (b"x",)), utf8=False)


def test_pairs_keep_their_order() -> None:
    assert response.pairs([1, 2, 3, 7], [4, 5, 6, 9]) == (b"1:3,7", b"4:6,9")
    assert response.pairs([3, 1], [10, 11]) == (b"3,1", b"10,11")
    assert response.pairs([3, 1], [11, 10]) == (b"1,3", b"10:11")


def test_flags_are_ordered_and_nil_is_quoted() -> None:
    assert response.flags(frozenset({"b", "\\Seen", "\\Answered", "$A"})) == b"(\\Answered \\Seen $A b)"
    assert response.mailbox("NIL", utf8=False) == b'"NIL"'
    assert response.mailbox('a"b\\c', utf8=False) == b'"a\\"b\\\\c"'


@pytest.mark.parametrize(
    ("text", "mailbox", "validity", "uid", "label"),
    [
        (b"/INBOX/;UID=7", "INBOX", None, 7, b"BODY[]"),
        (b"/inbox;uidvalidity=5/;uid=7/;section=1.2.MIME", "INBOX", 5, 7, b"BODY[1.2.MIME]"),
        (b";UID=7/;PARTIAL=3.9", None, None, 7, b"BODY[]<3>"),
        (b"/;UID=7/;SECTION=TEXT/;PARTIAL=3", None, None, 7, b"BODY[TEXT]<3>"),
        (b"/Work/%E2%82%AC/;UID=1/;SECTION=HEADER.FIELDS%20(To)", "Work/\u20ac", None, 1, b"BODY[HEADER.FIELDS (To)]"),
    ],
)
def test_urls(text: bytes, mailbox: str | None, validity: int | None, uid: int, label: bytes) -> None:
    url = urls.message_url(text)
    assert url is not None
    assert (url.mailbox, url.uid_validity, url.uid, url.body.label) == (mailbox, validity, uid, label)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"/INBOX",
        b"/INBOX/;UID=x",
        b"INBOX/;UID=1",
        b"imap://x/INBOX/;UID=1",
        b"/%FF/;UID=1",
        b"/a/;UID=1/;SECTION=]",
    ],
)
def test_urls_that_name_nothing_here(text: bytes) -> None:
    assert urls.message_url(text) is None
