"""Logging as it was before: a command that a test runs inside this process sets it up anew, over a stream
that ends with the test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_SET_UP = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "httpx", "httpcore", "apscheduler")
_SET_UP += ("web3", "urllib3", "botocore", "distributed", "asyncio", "apprise")


@contextmanager
def logging_restored() -> Iterator[None]:
    """Handlers, levels and structlog's configuration come back."""
    found = [logging.getLogger(name) for name in _SET_UP]
    before = [(log.handlers[:], log.level, log.propagate) for log in found]
    yield
    structlog.reset_defaults()
    for log, (handlers, level, propagates) in zip(found, before, strict=True):
        log.handlers, log.propagate = handlers, propagates
        log.setLevel(level)
