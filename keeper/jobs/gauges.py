"""What operators see of epochs and of the market."""

from collections.abc import Sequence

from keeper.jobs.observe import ChainView
from keeper.observability import names
from keeper.observability.metrics import Metrics
from keeper.sources.consensus import Rules
from keeper.sources.source import Observation
from keeper.sources.verdicts import Report, Verdict
from keeper.units.constants import PRICE_UNIT, WAD

_PRICE8 = WAD // PRICE_UNIT  # of one USD


def show_chain(metrics: Metrics, view: ChainView) -> None:
    """The latest epoch, and the spots it left on the chain."""
    metrics.set(names.EPOCH, view.header.number)
    metrics.set(names.EPOCH_TIME, view.header.timestamp)
    metrics.set(names.EPOCH_ACCOUNTS, len(view.states))
    for underlying, spot in enumerate(view.spots, start=1):
        metrics.set(names.TARGET_PRICE, spot.posted / _PRICE8, underlying=underlying)


def show_market(
    metrics: Metrics,
    observations: Sequence[Observation],
    combined: Observation,
    report: Report,
    rules: Rules,
) -> None:
    """What the sources say, together and each by how old it is."""
    for observation in observations:
        metrics.set(names.SOURCE_TIME, observation.timestamp - observation.age, source=observation.venue)
    for underlying, spot in combined.spots.items():
        metrics.set(names.SOURCE_PRICE, spot / _PRICE8, underlying=underlying)
    believed = {entry.source for entry in report.entries if entry.verdict == Verdict.USED}
    metrics.set(names.SOURCES, len(believed))
    metrics.set(names.SOURCES_MINIMUM, rules.minimum)
