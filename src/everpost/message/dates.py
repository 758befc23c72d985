"""Dates in header fields (RFC 5322 section 3.3)."""

import re
from datetime import UTC, datetime, timedelta, timezone

RFCS = (5322,)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NUMBER = {name.lower(): place + 1 for place, name in enumerate(MONTHS)}

_DATE = re.compile(
    rb"(?:[A-Za-z]+\.?,?)?\s*(\d{1,2})[\s-]+([A-Za-z]{3})[a-z]*\.?[\s-]+(\d{2,4})\s+"
    rb"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*([+-]\d{4}|[A-Za-z]+)?"
)
_COMMENT = re.compile(rb"\((?:[^()\\]++|\\.)*+\)", re.DOTALL)
_MAX_VALUE = 200
_MAX_NESTING = 4

# RFC 5322 section 4.3: the few zone names that have a meaning; any other is -0000.
_ZONES = {"UT": 0, "GMT": 0, "UTC": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5}
_ZONES |= {"MST": -7, "MDT": -6, "PST": -8, "PDT": -7}


def parse(value: bytes | str) -> datetime | None:
    """The moment with its zone; None for what is no date. Never raises."""
    if isinstance(value, str):
        value = value.encode("ascii", "replace")
    value = value[:_MAX_VALUE]
    for _ in range(_MAX_NESTING):
        if b"(" not in value:
            break
        value = _COMMENT.sub(b" ", value)
    found = _DATE.search(value)
    if found is None:
        return None
    day, month_name, year_text, hour, minute, second, zone = found.groups()
    month = _NUMBER.get(month_name.decode().lower())
    if month is None:
        return None
    year = int(year_text)
    if len(year_text) == 2:
        year += 2000 if year < 50 else 1900
    elif len(year_text) == 3:
        year += 1900
    if year < 1900:
        # RFC 5322 section 3.3; the first years Python knows cannot be moved between zones.
        return None
    offset = timedelta(0)
    name = (zone or b"").decode().upper()
    if name[:1] in {"+", "-"}:
        offset = timedelta(hours=int(name[1:3]), minutes=int(name[3:5]))
        if name[0] == "-":
            offset = -offset
    else:
        offset = timedelta(hours=_ZONES.get(name, 0))
    try:
        # RFC 5322 allows second 60; Python does not.
        zone_info = timezone(offset)
        return datetime(year, month, int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=zone_info)
    except ValueError:
        return None


def render(unix: float) -> str:
    """A moment (unix seconds) as RFC 5322 writes it, in UTC."""
    moment = datetime.fromtimestamp(int(unix), UTC)
    day = _DAYS[moment.weekday()]
    return f"{day}, {moment.day} {MONTHS[moment.month - 1]} {moment.year:04d} {moment:%H:%M:%S} +0000"
