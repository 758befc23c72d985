"""SMTP extensions: one module each, one line each in this table.

An extension says how it is announced and which parameters it adds to MAIL and RCPT.
"""

from everpost.smtp.extensions import (
    auth,
    chunking,
    dsn,
    eightbitmime,
    enhancedstatuscodes,
    limits,
    pipelining,
    size,
    smtputf8,
    starttls,
)
from everpost.smtp.extensions.extension import Extension

TABLE: tuple[Extension, ...] = (
    pipelining.EXTENSION,
    size.EXTENSION,
    starttls.EXTENSION,
    auth.EXTENSION,
    eightbitmime.EXTENSION,
    smtputf8.EXTENSION,
    chunking.EXTENSION,
    dsn.EXTENSION,
    enhancedstatuscodes.EXTENSION,
    limits.EXTENSION,
)
