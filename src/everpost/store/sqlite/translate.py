"""Shared SQL into SQLite's words."""

import re
from functools import lru_cache

_TYPES = {
    "$ID": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "$INT": "INTEGER",
    "$BYTES": "BLOB",
    "$TEXT": "TEXT",
}
_TYPE = re.compile(r"\$(?:ID|INT|BYTES|TEXT)\b")
_LIST = re.compile(r"\bIN (?:MANY|WORDS)\((\$\d+)\)")
_PARAMETER = re.compile(r"\$(\d+)")


@lru_cache(maxsize=1024)
def translate(sql: str) -> str:
    """The statement with `?1` parameters; lists arrive as JSON text."""
    sql = _TYPE.sub(lambda found: _TYPES[found.group()], sql)
    sql = _LIST.sub(r"IN (SELECT value FROM json_each(\1))", sql)
    return _PARAMETER.sub(r"?\1", sql)
