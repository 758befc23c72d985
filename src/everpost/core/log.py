"""Logging as events: `log.info("message.deferred", queue_id=...)`. Wired by `node`."""

from typing import cast

import structlog
from structlog.typing import FilteringBoundLogger


def logger(room: str) -> FilteringBoundLogger:
    """A logger whose events say which room they come from."""
    return cast(FilteringBoundLogger, structlog.get_logger(room=room))
