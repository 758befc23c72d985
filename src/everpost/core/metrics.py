"""Metrics by one naming rule: `everpost_<room>_<what>_<unit>`."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

# Seconds. Mail is in flight for milliseconds to minutes.
TIME_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def counter(room: str, what: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """A count that only grows; `what` names the thing counted, in the plural."""
    return Counter(f"everpost_{room}_{what}", text, labels)


def gauge(room: str, what: str, text: str, labels: Sequence[str] = ()) -> Gauge:
    """A value that goes up and down; `what` ends in its unit."""
    return Gauge(f"everpost_{room}_{what}", text, labels, multiprocess_mode="livesum")


def seconds(room: str, what: str, text: str, labels: Sequence[str] = ()) -> Histogram:
    """A distribution of durations in seconds."""
    return Histogram(f"everpost_{room}_{what}_seconds", text, labels, buckets=TIME_BUCKETS)
