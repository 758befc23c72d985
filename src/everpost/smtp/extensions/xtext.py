"""xtext (RFC 3461 section 4) and its UTF-8 relative (RFC 6533 section 3): values inside parameters."""

import re

from everpost.smtp.extensions.extension import BadParameter

RFCS = (3461, 6533)

_XTEXT = re.compile(r"(?:[!-*,-<>-~\u0080-\U0010ffff]|\+[0-9A-F]{2}|\\x\{[0-9A-Fa-f]{1,6}\})*")
_HEX = re.compile(r"\+([0-9A-F]{2})")
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


def decode(text: str) -> str:
    """The value without its coding. Raises BadParameter; the result has no control characters."""
    if not _XTEXT.fullmatch(text):
        raise BadParameter("malformed xtext")
    plain = _HEX.sub(lambda found: chr(int(found.group(1), 16)), text)
    plain = _UNICODE.sub(lambda found: chr(min(int(found.group(1), 16), 0x10FFFF)), plain)
    if any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in plain):
        raise BadParameter("a control character in a parameter")
    return plain


def encode(text: str) -> str:
    """The value coded; characters beyond ASCII stay, for use with SMTPUTF8."""
    return "".join(f"+{ord(char):02X}" if char < "!" or char in "+=\x7f" else char for char in text)
