"""Structured logs to standard error: JSON for machines, lines for people.

Every line of ours and of the libraries passes the same processors, the last of which takes out what is
secret. What is being worked on (epoch, block, intent, transaction) is bound to the context: each line written
meanwhile carries it.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from keeper.observability.redaction import SECRETS

_CONTEXT = ("epoch", "block", "intent", "tx")
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")  # which would pass the processors by
_TALKATIVE = (
    "alembic",
    "httpx",
    "httpcore",
    "apscheduler",
    "web3",
    "urllib3",
    "botocore",
    "distributed",
    "asyncio",
)


def configure(format: str, level: str) -> None:
    """`format`: json or console; `level`: debug, info, warning or error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(shared, renderer, number)


def logger(duty: str) -> Any:
    """A logger that says which duty speaks."""
    return structlog.get_logger().bind(duty=duty)


@contextmanager
def working_on(**what: Any) -> Iterator[None]:
    """Lines written inside carry `epoch`, `block`, `intent` or `tx`. ValueError for anything else."""
    if not set(what) <= set(_CONTEXT):
        raise ValueError(f"logs: the context holds {', '.join(_CONTEXT)}, not {', '.join(what)}")
    with structlog.contextvars.bound_contextvars(**what):
        yield


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor that takes out secrets, of whatever a line holds."""
    return {name: SECRETS.clean(value, name) for name, value in event.items()}


def _configure_libraries(shared: list[Any], renderer: Any, level: int) -> None:
    """What libraries log takes the same way; of the talkative ones, warnings only."""
    handler = logging.StreamHandler(sys.stderr)
    last = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=last
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in _OWN_HANDLERS:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
