"""The builder of scenario sets: by hand, and the shipped set from its sources."""

import os
from datetime import UTC, date, datetime, timedelta
from math import log
from pathlib import Path

import pytest

from keeper.analysis.scenario_days import STRESSED, SpotVol, Windows, build
from keeper.risk.scenario_set import ScenarioSet
from keeper.risk.volatility import ewma
from keeper.sources.price_files import read_price

DATA = Path(os.environ.get("PLIMSOLL_DATA", Path(__file__).parents[4].parent / "shared" / "data")) / "prices"
START = date(2024, 1, 1)


def walk(days: int, step: float) -> dict[date, float]:
    """Up and down by a step in turn, with a fall of a tenth on the last day."""
    prices = [100.0]
    for n in range(1, days):
        prices.append(prices[-1] * (1 + step if n % 2 else 1 / (1 + step)))
    prices[-1] = prices[-2] * 0.9
    return {START + timedelta(days=n): price for n, price in enumerate(prices)}


CLOSES = {"A": walk(60, 0.02), "B": walk(60, 0.04)}
LAST = START + timedelta(days=59)
WINDOWS = Windows(LAST, ((START + timedelta(days=5), START + timedelta(days=9)),), filtered=10)


def test_build__filtered_day__return_over_its_forecast_times_the_reference() -> None:
    found = build(CLOSES, WINDOWS, 0.97)
    # every earlier return has the same size, so it is the forecast of every day, and the reference
    assert found.references == {"A": round(log(1.02) * 1e6), "B": round(log(1.04) * 1e6)}
    assert found.moves["A"].spot[9] == round(log(0.9) * 1e6)
    assert abs(found.moves["B"].spot[8]) == found.references["B"]
    assert found.labels[9] == LAST.isoformat()


def test_build__stressed_day__return_as_it_was() -> None:
    found = build(CLOSES, WINDOWS, 0.97)
    assert (found.filtered, found.stressed) == (10, 5)
    assert found.moves["B"].spot[10] == round(log(1.04) * 1e6)


def test_build__fall__vols_rise_and_the_level_has_no_drift() -> None:
    found = build({"A": CLOSES["A"]}, WINDOWS, 0.97, spot_vol=SpotVol(2.0, 1.0, 3.0, 0.5)).moves["A"]
    fall = -log(0.9)
    assert sum(found.level[:10]) == pytest.approx(0, abs=10)
    assert found.level[9] - found.level[8] == pytest.approx(2 * (fall - log(1.02)) * 1e6, abs=2)
    assert found.skew[9] == round(3 * fall * 1e6)
    assert found.curvature[9] == round(0.5 * fall * 1e6)


def test_build__not_yet_traded__moves_of_the_stand_in_by_the_ratio_of_references() -> None:
    young = {day: price for day, price in CLOSES["B"].items() if day > START + timedelta(days=12)}
    closes = {"A": CLOSES["A"], "B": young}
    with pytest.raises(LookupError, match="scenarios: B has no return on 2024-01-06, name a stand-in"):
        build(closes, WINDOWS, 0.97)
    found = build(closes, WINDOWS, 0.97, stand_in={"B": "A"})
    ratio = found.references["B"] / found.references["A"]
    assert found.moves["B"].spot[10] == pytest.approx(found.moves["A"].spot[10] * ratio, rel=1e-4)


def test_build__day_missing__named() -> None:
    with pytest.raises(LookupError, match="scenarios: A has no return and forecast on 2024-03-01"):
        build(CLOSES, Windows(LAST + timedelta(days=1), WINDOWS.stressed, 1), 0.97)


def test_windows__stressed__250_days_of_four_crises() -> None:
    assert sum((last - first).days + 1 for first, last in STRESSED) == 250


def test_build__recorded_closes__make_the_shipped_set() -> None:
    names = {
        "BTC": "btcusdt_daily_binance_2017_2025.csv.gz",
        "ETH": "ethusdt_daily_binance_2017_2025.csv.gz",
        "SOL": "solusdt_spot_1h_2020_2025.csv.gz",
    }
    if not all((DATA / name).exists() for name in names.values()):
        pytest.skip("needs the recorded prices, see PLIMSOLL_DATA")
    closes = {}
    for symbol, name in names.items():
        bars = read_price(DATA / name).daily()
        days = [datetime.fromtimestamp(int(t), UTC).date() for t in bars.timestamps]
        closes[symbol] = dict(zip(days, (float(x) for x in bars.close), strict=True))
    found = build(closes, Windows(date(2025, 3, 31), STRESSED), 0.97, stand_in={"SOL": "ETH"})
    assert found == ScenarioSet.default()


def test_ewma__forecast__never_knows_its_own_day() -> None:
    quiet = [0.01] * 50
    assert ewma([*quiet, 0.5], 0.97)[:50] == ewma(quiet, 0.97)
