"""DSN: which notices a sender wants."""

from everpost.smtp.extensions.extension import BadParameter, Extension
from everpost.smtp.extensions.xtext import decode

RFCS = (3461,)

_NOTIFY = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})


def _ret(text: str | None) -> str:
    value = (text or "").upper()
    if value not in {"FULL", "HDRS"}:
        raise BadParameter("RET is FULL or HDRS")
    return value


def _envid(text: str | None) -> str:
    if not text or len(text) > 100:
        raise BadParameter("ENVID needs up to 100 characters")
    return decode(text)


def _notify(text: str | None) -> frozenset[str]:
    words = frozenset((text or "").upper().split(","))
    if not words <= _NOTIFY or ("NEVER" in words and len(words) > 1):
        raise BadParameter("NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY")
    return words


def _orcpt(text: str | None) -> str:
    kind, semicolon, address = (text or "").partition(";")
    if not semicolon or not kind or not address or len(address) > 500:
        raise BadParameter("ORCPT is type;address")
    return f"{kind.lower()};{decode(address)}"


EXTENSION = Extension(
    announce=lambda facts: "DSN",
    mail={"RET": ("ret", _ret), "ENVID": ("envid", _envid)},
    rcpt={"NOTIFY": ("notify", _notify), "ORCPT": ("orcpt", _orcpt)},
)
