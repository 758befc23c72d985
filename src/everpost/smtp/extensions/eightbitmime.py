"""8BITMIME: bodies with bytes above 127."""

from everpost.smtp.extensions.extension import BadParameter, Extension

RFCS = (6152,)


def _body(text: str | None) -> str:
    value = (text or "").upper()
    if value not in {"7BIT", "8BITMIME"}:
        raise BadParameter("BODY is 7BIT or 8BITMIME")
    return value


EXTENSION = Extension(announce=lambda facts: "8BITMIME", mail={"BODY": ("body", _body)})
