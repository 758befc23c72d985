"""From our kinds of error to SMTP replies: the one table of both SMTP doors."""

from everpost.core.errors import Broken, EverpostError, ProtocolError, Refused, TryLater
from everpost.smtp.wire.reply import Reply

RFCS = (3463, 4954, 5248, 5321)

# Enhanced status to reply code where the class alone does not say it. RFC 5248 registers which go together.
_CODES = {
    "4.2.2": 452,
    "4.3.0": 451,
    "4.4.6": 451,
    "4.5.3": 452,
    "4.7.1": 450,
    "5.1.3": 553,
    "5.2.2": 552,
    "5.3.4": 552,
    "5.4.6": 554,
    "5.6.0": 554,
    "5.7.0": 530,
    "5.7.8": 535,
    "4.7.0": 454,
}


def reply_to(error: EverpostError) -> Reply:
    """What the client hears. Raises nothing; our own faults are temporary and say nothing more."""
    match error:
        case Broken():
            return Reply(451, "4.3.0", "something went wrong here; try again later")
        case TryLater():
            status = error.status if error.status.startswith("4") else "4.3.0"
            return Reply(_CODES.get(status, 451), status, error.text)
        case Refused():
            return Reply(_CODES.get(error.status, 550), error.status, error.text)
        case ProtocolError():
            return Reply(501, error.status, error.text)
        case _:
            return Reply(451, "4.3.0", "something went wrong here; try again later")
