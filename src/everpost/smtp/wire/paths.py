"""Arguments of HELO, MAIL and RCPT (RFC 5321 section 4.1.2)."""

import re
from collections.abc import Mapping
from typing import Any

from everpost.core.address import Address, BadAddress
from everpost.core.errors import ProtocolError
from everpost.smtp.extensions.extension import BadParameter, Parameter

_PATH = re.compile(r'(FROM|TO):[ \t]*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(?:[ \t]+(.*))?', re.IGNORECASE | re.DOTALL)
# RFC 5321 appendix C: source routes are accepted and ignored.
_ROUTE = re.compile(r"@[^:,@]+(?:,@[^:,@]+)*:")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
MAX_PATH = 1024
MAX_PARAMETERS = 20


class BadPath(ProtocolError):
    """Not a path."""

    default_status = "5.1.7"


def parse_path(argument: str, word: str, status: str) -> tuple[str, str]:
    """(path without brackets and route, the parameters' text) of `FROM:<path> ...`. Raises BadPath."""
    found = _PATH.fullmatch(argument)
    if found is None or found.group(1).upper() != word:
        raise BadPath(f"{word}:<address> was expected", status="5.5.4")
    path = found.group(2).strip()
    if len(path.encode()) > MAX_PATH:
        raise BadPath("the address is too long", status=status)
    route = _ROUTE.match(path)
    return path[route.end() :] if route else path, found.group(3) or ""


def parse_address(path: str, status: str) -> Address:
    """The address of a path. Raises BadPath with `status`."""
    try:
        return Address.parse(path)
    except BadAddress as error:
        raise BadPath(error.text, status=status) from error


def parse_parameters(text: str, known: Mapping[str, tuple[str, Parameter]]) -> dict[str, Any]:
    """Values by field name. Raises BadParameter, with status 5.5.4 for those nobody announced."""
    values: dict[str, Any] = {}
    words = text.replace("\t", " ").split(" ") if text else []
    if len(words) > MAX_PARAMETERS:
        raise BadParameter("too many parameters")
    for word in words:
        if not word:
            continue
        name, equals, value = word.partition("=")
        if not _KEYWORD.fullmatch(name):
            raise BadParameter("malformed parameter")
        entry = known.get(name.upper())
        if entry is None:
            raise UnknownParameter(f"parameter {name.upper()[:40]} is not supported")
        field, read = entry
        if field in values:
            raise BadParameter(f"parameter {name.upper()} is given twice")
        values[field] = read(value if equals else None)
    return values


class UnknownParameter(BadParameter):
    """A parameter that was not announced: 555 rather than 501 (RFC 5321 section 4.1.1.11)."""
