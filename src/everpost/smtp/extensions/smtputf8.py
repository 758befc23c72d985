"""SMTPUTF8: addresses and header fields in UTF-8."""

from everpost.smtp.extensions.extension import BadParameter, Extension

RFCS = (6531,)


def _smtputf8(text: str | None) -> bool:
    if text is not None:
        raise BadParameter("SMTPUTF8 has no value")
    return True


EXTENSION = Extension(announce=lambda facts: "SMTPUTF8", mail={"SMTPUTF8": ("smtputf8", _smtputf8)})
