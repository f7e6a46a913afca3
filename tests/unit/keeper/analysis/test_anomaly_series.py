"""Price series: what is found, and what is not."""

import os
from pathlib import Path

import numpy as np
import pytest

from keeper.analysis.anomaly_series import SeriesLimits, robust_scores, scan_series, scan_venues
from keeper.sources.price_files import read_price, read_prices
from keeper.sources.prices import PriceSeries

ROOT = Path(__file__).parents[4]
DATA = Path(os.environ.get("PLIMSOLL_DATA", ROOT.parent / "shared" / "data")) / "prices"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the recorded market data is not on this machine")
HOUR = 3_600


def walk(n: int = 400, seed: int = 1, name: str = "x") -> PriceSeries:
    """A quiet hourly series: returns of half a per cent."""
    steps = np.random.default_rng(seed).normal(0.0, 0.005, n)
    return PriceSeries(
        name, np.arange(n, dtype=np.int64) * HOUR, 100 * np.exp(np.cumsum(steps)), interval=HOUR
    )


def changed(series: PriceSeries, close: np.ndarray) -> PriceSeries:
    return PriceSeries(series.name, series.timestamps, close, interval=series.interval)


def test_robust_scores__known_past__distance_in_deviations() -> None:
    past = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    # median 3.5, deviations 2.5 1.5 .5 .5 1.5 2.5: median 1.5
    scores = robust_scores(np.append(np.tile(past, 4), 10.0), window=6, floor=0.0)
    assert scores[-1] == pytest.approx(6.5 / (1.4826 * 1.5))


def test_scan__quiet_series__nothing() -> None:
    assert scan_series(walk()) == []


def test_scan__one_jump__found_at_its_time_with_an_action() -> None:
    series = walk()
    close = series.close.copy()
    close[300:] *= 0.85
    found = scan_series(changed(series, close))
    assert [(f.kind, f.time) for f in found] == [("return", 300 * HOUR)]
    assert found[0].widen > 1.0 and "robust deviations of the 168 before" in found[0].explanation


def test_scan__unchanged_closes__one_finding_from_where_they_begin() -> None:
    series = walk()
    close = series.close.copy()
    close[200:213] = close[200]
    assert [(f.kind, f.time, f.score) for f in scan_series(changed(series, close))] == [
        ("frozen", 200 * HOUR, 13)
    ]
    close[212:] = series.close[212:]
    assert scan_series(changed(series, close)) == []


def test_scan__missing_bars__gap_and_no_jump_for_its_length() -> None:
    series = walk()
    keep = np.r_[0:200, 224:400]
    cut = PriceSeries("x", series.timestamps[keep], series.close[keep], interval=HOUR)
    assert [(f.kind, f.score) for f in scan_series(cut)] == [("gap", 24)]
    assert scan_series(cut, is_regular=False) == []


def test_scan_venues__one_away_for_a_while__one_finding() -> None:
    series = {name: changed(walk(), walk().close) for name in ("a/X", "b/X", "c/X")}
    close = series["c/X"].close.copy()
    close[50:60] *= 1.02
    series["c/X"] = PriceSeries("c/X", series["c/X"].timestamps, close, interval=HOUR)
    found = scan_venues(series)
    assert [(f.subject, f.time) for f in found] == [("c/X", 50 * HOUR)]
    assert found[0].score == pytest.approx(200)
    assert scan_venues({n: s for n, s in series.items() if n != "a/X"}) == []


def test_scan__limits__are_the_callers() -> None:
    assert len(scan_series(walk(), SeriesLimits(deviations=2.0))) > 5


@needs_data
def test_scan__recorded_markets__crises_found_and_calm_left_alone() -> None:
    covid = scan_series(read_price(DATA / "btcusdt_perp_1h_202003_covid.csv.gz"))
    crash = 1_584_010_800  # 2020-03-12T11:00Z: BTC falls through 7,000
    assert any(abs(f.time - crash) <= 2 * HOUR for f in covid)
    calm = read_price(DATA / "solusdt_spot_1h_2020_2025.csv.gz")
    found = [f for f in scan_series(calm) if f.kind == "return"]
    assert 5 <= len(found) <= 40  # of 41,350 hours
    venues = read_prices(DATA / "perp_1h_multivenue_202504_tariff.csv.gz")
    assert scan_venues({n: s for n, s in venues.items() if n.endswith("BTC")}) == []
