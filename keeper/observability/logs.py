"""Structured logs to standard error: JSON for machines, lines for people. Nothing secret is ever passed to
them."""

import logging
import sys
from typing import Any

import structlog


def configure(format: str, level: str) -> None:
    """`format`: json or console; `level`: debug, info, warning or error."""
    renderer: Any = structlog.processors.JSONRenderer()
    if format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def logger(duty: str) -> Any:
    """A logger that says which duty speaks."""
    return structlog.get_logger().bind(duty=duty)
