"""The watch of a running keeper."""

import itertools
from pathlib import Path

import pytest

from keeper.jobs.watch import Watch
from keeper.observability.metrics import Metrics
from keeper.observability.names import ANOMALIES
from keeper.sources.source import Observation
from keeper.sources.verdicts import Entry, Verdict
from keeper.store import anomaly_store
from keeper.store.anomaly_store import Acknowledgement
from keeper.store.database import Database
from tests.support.flat_market import NOW

WAVE = itertools.cycle([0, 1, 3, 1, 0, -2, -1])


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(Database(f"sqlite:///{tmp_path}/keeper.sqlite"), Metrics())


def look(watch: Watch, step: int, price: float, rejected: tuple[Entry, ...] = ()) -> list[str]:
    """One observation a minute; what is new."""
    spots = {2: int(price * 10**8)}
    found = watch.observed(Observation("median", NOW + 60 * step, 0, spots, {}), rejected)
    return [f.kind for f in found]


def calm(watch: Watch, steps: int = 80) -> int:
    """A market that moves a little."""
    for step in range(steps):
        assert look(watch, step, 2_000 + next(WAVE)) == []
    return steps


def test_observed__calm_market__nothing_and_the_metric_is_there(watch: Watch) -> None:
    calm(watch)
    assert watch.metrics.value(ANOMALIES) == 0


def test_observed__jump__kept_counted_and_the_observation_untouched(watch: Watch) -> None:
    step = calm(watch)
    assert look(watch, step, 1_700) == ["return"]
    assert watch.metrics.value(ANOMALIES) == 1
    with watch.database.begin() as connection:
        kept = anomaly_store.kept_findings(connection)
    assert [(f["subject"], f["time"]) for f in kept] == [("underlying 2", NOW + 60 * step)]


def test_observed__same_moment_again__found_once(watch: Watch) -> None:
    step = calm(watch)
    assert look(watch, step, 1_700) == ["return"] and look(watch, step, 1_700) == []


def test_observed__acknowledged__no_longer_counted(watch: Watch) -> None:
    step = calm(watch)
    look(watch, step, 1_700)
    with watch.database.begin() as connection:
        (kept,) = anomaly_store.kept_findings(connection)
        anomaly_store.acknowledge(connection, Acknowledgement(kept["id"], "Ada", "news", NOW))
    look(watch, step + 1, 1_701)
    assert watch.metrics.value(ANOMALIES) == 0


def test_observed__an_hour_later__no_longer_counted(watch: Watch) -> None:
    step = calm(watch)
    look(watch, step, 1_700)
    look(watch, step + 61, 1_701)
    assert watch.metrics.value(ANOMALIES) == 0


def test_observed__frozen_feed__one_finding(watch: Watch) -> None:
    kinds = [kind for step in range(30) for kind in look(watch, step, 2_000)]
    assert kinds == ["frozen"]


def test_observed__source_rejected__one_finding_until_it_is_believed_again(watch: Watch) -> None:
    stale = Entry("kraken", "all", Verdict.STALE, "900 seconds old, at most 60")
    far = Entry("kraken", "spot 2", Verdict.OUTLIER, "+300 bps from the median")
    assert look(watch, 0, 2_000, (stale,)) == ["feed"]
    assert look(watch, 1, 2_001, (stale,)) == []
    assert look(watch, 2, 2_000, (far,)) == ["dispersion"]
    assert look(watch, 3, 2_001) == []
    assert look(watch, 4, 2_000, (stale,)) == ["feed"]


def test_proposed__one_attester_refuses_often__one_finding(watch: Watch) -> None:
    found = [f for t in range(10) for f in watch.proposed(NOW + t, {"http://a": "", "http://b": "differs"})]
    assert [(f.kind, f.subject) for f in found] == [("dissent", "http://b")]
