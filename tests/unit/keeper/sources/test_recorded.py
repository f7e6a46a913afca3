"""The recorded market: fit and absence of arbitrage of the committed tables, and the source."""

import importlib.util
import json
import os
from dataclasses import replace
from importlib import resources
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from keeper.pricing import svi
from keeper.sources import recorded
from keeper.sources.consensus import Rules, combine
from keeper.sources.market_check import Tolerance, market_problems
from keeper.sources.source import market_of

ROOT = Path(__file__).parents[4]
DATA = Path(os.environ.get("PLIMSOLL_DATA", ROOT.parent / "shared" / "data"))
NOW = 1_743_850_000
LISTED = {1: [NOW + 300, NOW + 86_400], 2: [NOW + 40, NOW + 7 * 86_400, NOW + 300 * 86_400], 3: []}


def table() -> list[dict[str, list[float]]]:
    text = resources.files("keeper.sources").joinpath("recorded/eth_surface.json").read_text()
    return list(json.loads(text)["tenors"])


def test_surface__each_tenor__median_error_at_most_half_a_vol_point() -> None:
    assert max(median(t["errors_vol_points"]) for t in table()) <= 0.5


@pytest.mark.parametrize("vol_scale", sorted(set(recorded.VOL_SCALE.values())))
def test_slice_at__every_time_to_expiry__free_of_arbitrage(vol_scale: float) -> None:
    last = recorded.tenors()[-1].seconds
    times = sorted({*range(1, 74_000, 997), *(int(x) for x in np.linspace(74_000, last, 800))})
    assert svi.arbitrage([svi.from_integers(recorded.slice_at(t, vol_scale)) for t in times]) == []


def test_path_gap__between_recorded_tenors__never_negative() -> None:
    slices = [t.slice for t in recorded.tenors()]
    for near, far in zip(slices, slices[1:], strict=False):
        assert np.min(svi.path_gap(near, far, svi.nodes(far))) >= 0.0


def test_slice_at__beyond_the_last_tenor__lookup_error() -> None:
    with pytest.raises(LookupError, match="recorded: no surface beyond"):
        recorded.slice_at(2 * 31_536_000)


def test_observe__between_closes__linear() -> None:
    source = recorded.RecordedSource("bybit")
    start, _ = source.span
    at, half, end = (source.observe(start + s, {2: []}).spots[2] for s in (0, 1_800, 3_600))
    assert half in {(at + end) // 2, (at + end) // 2 + 1}


def test_observe__outside_the_span__lookup_error() -> None:
    source = recorded.RecordedSource("binance")
    with pytest.raises(LookupError, match="recorded: no prices at"):
        source.observe(source.span[1] + 1, {1: []})


def test_market_problems__three_venues__proposal_of_the_median_accepted_by_each() -> None:
    observations = [recorded.RecordedSource(v).observe(NOW, LISTED) for v in recorded.VENUES]
    combined, report = combine(observations, LISTED, Rules(minimum=3, minimum_surfaces=3))
    assert report.rejected == []
    market = market_of(combined, combined.spots)
    assert all(market_problems(market, own, Tolerance()) == [] for own in observations)


def test_market_problems__spot_one_percent_off__refused() -> None:
    own = recorded.RecordedSource("binance").observe(NOW, LISTED)
    effective = dict(own.spots)
    moved = type(own)(
        own.venue, own.timestamp, own.age, {**own.spots, 2: own.spots[2] * 101 // 100}, own.expiries
    )
    assert any("spot of 2" in p for p in market_problems(market_of(moved, effective), own, Tolerance()))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"volatility_scales_ppm": {2: 1_400_000}}, "volatility scale of 2"),
        ({"confidences_ppm": {2: 500_000}}, "confidence of 2 is 500000, ours 1000000"),
        ({"settlement_price": 98_000_000}, "settlement coin is 98000000, ours 100000000"),
    ],
)
def test_market_problems__state_unlike_ours__refused(changes: dict[str, object], problem: str) -> None:
    own = recorded.RecordedSource("binance").observe(NOW, LISTED)
    market = market_of(replace(own, **changes), own.spots)
    assert any(problem in p for p in market_problems(market, own, Tolerance()))


def test_observe__volatility_scale__of_the_day() -> None:
    source = recorded.RecordedSource("binance")
    # ETH fell by 14 % on the 6th: known from midnight on
    midnight = 1_743_984_000
    before, after = (source.observe(t, {2: []}).volatility_scales_ppm[2] for t in (midnight - 1, midnight))
    assert (before, after) == (1_208_464, 1_380_625)


def test_calibrate_recorded__raw_files__make_the_committed_surface() -> None:
    spec = importlib.util.spec_from_file_location("calibrate", ROOT / "scripts" / "calibrate_recorded.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    if not (DATA / script.CHAIN).exists():
        pytest.skip(f"no raw files: {script.CHAIN} not in {DATA} (set PLIMSOLL_DATA)")
    again = script.surface(DATA)["tenors"]
    for ours, stored in zip(again, table(), strict=True):
        assert median(ours["errors_vol_points"]) == pytest.approx(
            median(stored["errors_vol_points"]), abs=0.1
        )
