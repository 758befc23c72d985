"""Dates as arguments."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from everpost.access.imap.wire.response import MONTHS
from everpost.access.imap.wire.tokens import Reader

RFCS = (9051,)

_MONTH = {name.upper().encode(): place for place, name in enumerate(MONTHS, 1)}
_DATE = re.compile(rb"(\"?)(\d{1,2})-([A-Za-z]{3})-(\d{4})\1")
_DATE_TIME = re.compile(rb"\"([ \d]?\d)-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})\"")


def day(reader: Reader) -> date:
    """A date such as 1-Feb-1994, quoted or not."""
    start = reader.place
    found = reader.match(_DATE, "a date such as 1-Feb-1994")
    try:
        return date(int(found.group(4)), _MONTH[found.group(3).upper()], int(found.group(2)))
    except (KeyError, ValueError):
        reader.place = start
        reader.fail("a date that exists")


def date_time(reader: Reader) -> int:
    """A date-time in unix milliseconds."""
    start = reader.place
    found = reader.match(_DATE_TIME, 'a date such as "01-Feb-1994 21:52:25 +0000"')
    day_, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    try:
        zone = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        moment = datetime(
            int(year),
            _MONTH[month.upper()],
            int(day_),
            int(hour),
            int(minute),
            # A leap second.
            min(int(second), 59),
            tzinfo=timezone(-zone if sign == b"-" else zone),
        )
        return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1000
    except (KeyError, ValueError, OverflowError):
        reader.place = start
        reader.fail("a date that exists")
