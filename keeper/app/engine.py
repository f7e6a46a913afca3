"""Where margins are computed, as the configuration says."""

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from keeper.app.config import ConfigError
from keeper.app.sections import EngineSection
from keeper.attestation.batch_leaves import Engine, figures_of
from keeper.jobs.shards import Shards
from keeper.observability.metrics import Metrics


def open_engine(section: EngineSection, metrics: Metrics) -> tuple[Engine, Callable[[], None]]:
    """The engine, and how to close it. Raises ConfigError naming what to install."""
    if not section.workers and section.scheduler is None:
        return figures_of, lambda: None
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise ConfigError("engine: workers need the extra `scale`: pip install plimsoll[scale]") from None
    stack = ExitStack()
    scheduler = section.scheduler
    if scheduler is None:
        cluster = stack.enter_context(
            distributed.LocalCluster(n_workers=section.workers, threads_per_worker=1, dashboard_address=None)
        )
        scheduler = str(cluster.scheduler_address)
    shards = Shards(scheduler, section.timeout_seconds, metrics)
    stack.callback(shards.close)
    return shards, stack.close
