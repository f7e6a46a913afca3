"""The volatility regime out of a file of daily closes."""

from math import exp
from pathlib import Path

import pytest

from keeper.risk.methodology import Methodology
from keeper.sources.consensus import Rules, combine
from keeper.sources.history_source import HistorySource
from keeper.sources.prices import DAY
from keeper.sources.source import Observation

METHODOLOGY = Methodology.default()
TODAY = 20_000 * DAY
REFERENCE = METHODOLOGY.scenarios.references["ETH"] / 1e6


def written(folder: Path, move: float, until: int = TODAY, days: int = 400) -> Path:
    """Closes that go up and down by `move` every day; the last is of the day before `until`."""
    rows = [f"{until - (days - i) * DAY},{2_000 * exp(move * (i % 2))}" for i in range(days)]
    path = folder / "eth.csv"
    path.write_text("ts,close\n" + "\n".join(rows) + "\n")
    return path


def scale(path: Path, now: int = TODAY + 100) -> int:
    source = HistorySource("history ETH", 2, "ETH", path, METHODOLOGY)
    return source.observe(now, {1: [], 2: []}).volatility_scales_ppm[2]


def test_observe__constant_volatility__over_the_reference(tmp_path: Path) -> None:
    assert scale(written(tmp_path, 1.5 * REFERENCE)) == pytest.approx(1_500_000, abs=2)


def test_observe__storm_and_calm__inside_the_limits(tmp_path: Path) -> None:
    parameters = METHODOLOGY.expected_shortfall
    assert scale(written(tmp_path, 9 * REFERENCE)) == parameters.scale_high_ppm
    assert scale(written(tmp_path, 0.01 * REFERENCE)) == parameters.scale_low_ppm


def test_observe__todays_close__not_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path, REFERENCE)
    before = scale(path)
    with path.open("a") as file:
        file.write(f"{TODAY},9999\n")
    assert scale(path) == before


def test_observe__file_that_ended__what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path, REFERENCE)
    scale(path, TODAY + 3 * DAY)
    with pytest.raises(LookupError, match="history ETH: .*eth.csv ends 4 days ago, append the closes since"):
        scale(path, TODAY + 4 * DAY)


def test_observe__unusable__lookup_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="history ETH: prices: .* cannot be read"):
        scale(tmp_path / "absent.csv")
    with pytest.raises(LookupError, match="history ETH: volatility: 9 returns, needs 30"):
        scale(written(tmp_path, REFERENCE, days=10))
    with pytest.raises(LookupError, match="do not know DOGE"):
        HistorySource("h", 2, "DOGE", tmp_path / "x", METHODOLOGY).observe(TODAY, {2: []})


def test_combine__beside_a_venue__its_scale_and_no_other_effect(tmp_path: Path) -> None:
    path = written(tmp_path, 1.5 * REFERENCE)
    venue = Observation("a", TODAY, 5, {2: 10**8}, {})
    history = HistorySource("history ETH", 2, "ETH", path, METHODOLOGY).observe(TODAY, {2: []})
    found, _ = combine([venue, history], {2: []}, Rules())
    assert found.volatility_scales_ppm[2] == pytest.approx(1_500_000, abs=2)
    assert (found.spots, found.age, found.confidences_ppm) == ({2: 10**8}, 5, {2: 10**6})
