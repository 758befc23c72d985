"""What a check has to say."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Works, but should be looked at."""
    FAULT = "fault"
    """Something will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    level: Level
    subject: str
    text: str
    mend: str = ""
    """How to put it right; empty where all is well."""


def ok(subject: str, text: str) -> Finding:
    return Finding(Level.OK, subject, text)


def warning(subject: str, text: str, mend: str) -> Finding:
    return Finding(Level.WARNING, subject, text, mend)


def fault(subject: str, text: str, mend: str) -> Finding:
    return Finding(Level.FAULT, subject, text, mend)
