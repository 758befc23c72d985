"""How events become lines: JSON for machines, colours for people."""

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

from everpost.core.log import logger

_ENCODER = msgspec.json.Encoder(enc_hook=str)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _json(_logger: object, _name: str, event: MutableMapping[str, Any]) -> bytes:
    try:
        return _ENCODER.encode(event)
    except (UnicodeError, msgspec.MsgspecError):
        # Half a character, or a number beyond 64 bits: an event must never be the reason that a session breaks.
        return json.dumps(event, default=str).encode()


class _Bridge(logging.Handler):
    """What libraries say through the standard module becomes an event like all others."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._log = logger("python")

    def emit(self, record: logging.LogRecord) -> None:
        """Implements logging.Handler."""
        self._log.log(
            record.levelno, "library.warned", library=record.name, text=record.getMessage(), exc_info=record.exc_info
        )


def configure(style: str, level: str, worker: str) -> None:
    """`style` is json or console; every line names the worker. To be called once, before anything is logged."""
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _name, event: {"worker": worker, **event},
    ]
    if style == "json":
        shared += [structlog.processors.format_exc_info, _json]
        factory: Any = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        # The other formatters show local variables, and with them what nobody may read.
        shared.append(
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        )
        factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.root.handlers[:] = [_Bridge()]
    logging.root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
