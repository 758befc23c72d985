"""Dates in header fields."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.message.dates import parse, render
from everpost.message.fields import Fields
from tests.corpus import corpus


def corpus_dates() -> list[tuple[str, dict[str, int] | None]]:
    cases = [
        (case["header"], case["expected"])
        for case in json.loads((corpus() / "mime" / "headers" / "date.json").read_text())
        # Months by number: the corpus reads any six numbers as a date.
        if not case["header"].startswith((" 4 8 15 16", "20 11 "))
    ]
    assert len(cases) > 35
    return cases


@pytest.mark.parametrize("header, expected", corpus_dates())
def test_corpus(header: str, expected: dict[str, int] | None) -> None:
    found = parse(Fields(b"Date:" + header.encode()).get("date") or b"")
    if expected is None:
        assert found is None
        return
    assert found is not None
    minutes = (expected["tz_hour"] * 60 + expected["tz_minute"]) * (-1 if expected["tz_before_gmt"] else 1)
    names = ("year", "month", "day", "hour", "minute", "second")
    assert [getattr(found, name) for name in names] == [expected[name] for name in names]
    offset = found.utcoffset()
    assert offset is not None and offset.total_seconds() == minutes * 60


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"29 Feb 2023 10:00:00 +0000",
        b"1 Jan 2020 25:00:00 +0000",
        b"1 Jan 2020 00:00:00 +9999",
        b"1 Jan 0001 0:00:00 +1400",
    ],
)
def test_what_is_no_date(value: bytes) -> None:
    assert parse(value) is None


def test_leap_seconds_and_two_digits() -> None:
    assert parse("31 Dec 2016 23:59:60 +0000") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert parse("1 Jan 49 00:00:00 GMT") == datetime(2049, 1, 1, tzinfo=UTC)
    assert parse("1 Jan 50 00:00:00 GMT") == datetime(1950, 1, 1, tzinfo=UTC)


@given(st.integers(-2_000_000_000, 250_000_000_000))
def test_what_is_rendered_is_parsed_again(unix: int) -> None:
    text = render(unix)
    assert parsedate_to_datetime(text).timestamp() == unix
    found = parse(text)
    assert found is not None and found.timestamp() == unix


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_bytes_are_survived(value: bytes | str) -> None:
    found = parse(value)
    assert found is None or found.astimezone(UTC).year >= 1899
