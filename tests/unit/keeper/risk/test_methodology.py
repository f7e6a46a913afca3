"""The parameter file: round trip, rules, and correlation sets by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.risk.correlation import exceeds
from keeper.risk.methodology import Methodology
from keeper.risk.scenario_set import ScenarioSet

METHODOLOGY = Methodology.default()


def changed(**parts: object) -> str:
    data = json.loads(METHODOLOGY.to_json())
    for path, value in parts.items():
        *heads, last = path.split("__")
        target = data
        for head in heads:
            target = target[head]
        target[last] = value
    return json.dumps(data)


def test_methodology__round_trip__same_hash() -> None:
    again = Methodology.from_json(METHODOLOGY.to_json())
    assert (again, again.hash()) == (METHODOLOGY, METHODOLOGY.hash())


def test_methodology__one_greek_parameter_changed__other_hash() -> None:
    assert Methodology.from_json(changed(greeks__reach_ppm=200_000)).hash() != METHODOLOGY.hash()


def test_correlation_sets__estimated_pairs__loaded_and_valid() -> None:
    # daily log returns of BTC, ETH and SOL at Binance, April 2023 to March 2025
    pairs = [[1, 2, 799_800], [1, 3, 696_500], [2, 3, 650_400]]
    loaded = Methodology.from_json(changed(correlations__pairs=pairs))
    base = dict(loaded.correlation_sets)["base"]
    assert [base[0][1], base[0][2], base[1][2]] == [value for _, _, value in pairs]
    floor = 10**6 - loaded.greeks.expiry_base_ppm
    assert all(exceeds(matrix, floor) for _, matrix in loaded.correlation_sets)
    assert loaded.hash() != METHODOLOGY.hash()


def test_load__scenarios_beside_the_file__stand_before_the_shipped_ones(tmp_path: Path) -> None:
    shipped = ScenarioSet.default()
    other = replace(shipped, references={s: r + 1 for s, r in shipped.references.items()})
    named = changed(expected_shortfall__scenarios="0x" + other.hash().hex())
    (tmp_path / "mine.json").write_text(named)
    with pytest.raises(ValueError, match="scenarios must be those that the parameters name"):
        Methodology.load(tmp_path / "mine.json")
    (tmp_path / "mine.scenarios.json").write_text(other.to_json())
    assert Methodology.load(tmp_path / "mine.json").scenarios == other


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "version must be 3"),
        ({"expected_shortfall__tail_ppm": 0}, "tails must lie in"),
        ({"expected_shortfall__proxy": "XYZ"}, "the proxy must have moves"),
        ({"addons__naked_ppm": -1}, "add-ons must lie in"),
        ({"liquidity__wing_ppm": 1}, "wings must not be more liquid"),
        ({"liquidity__option_depth_ppm": 0}, "depths must be positive"),
        ({"sizes__tiers": [[5, 500_000], [9, 100_000]]}, "size shares must not fall"),
        ({"sizes__tiers": [[9, 100_000], [5, 500_000]]}, "size tiers must ascend"),
        ({"tiers_ppm": [1_000_000, 800_000]}, "tiers must be at least .85"),
        ({"greeks__expiry_base_ppm": 1_000_000}, "expiry correlation must lie in"),
        ({"greeks__low_factor_ppm": -1}, "correlations must lie in"),
        ({"greeks__vega_min_days": 0}, "vega tenors must be positive"),
        ({"greeks__curvature_root_ppm": 7_000_000}, "curvature needs linear above root weight"),
        ({"other__threshold_usd": 0}, "thresholds must be positive"),
        ({"other__weight_ppm": 1_000_000}, "ranges and weights must lie in"),
    ],
)
def test_methodology__parameter_out_of_range__refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=f"methodology: .*{reason}"):
        Methodology.from_json(changed(**change))


def test_methodology__unknown_parameter__refused() -> None:
    with pytest.raises(ValueError, match="methodology: malformed parameters"):
        Methodology.from_json(changed(greeks__surprise=1))


def test_spot__unnamed_underlying__the_other_parameters() -> None:
    assert METHODOLOGY.spot(9) == METHODOLOGY.other
    assert METHODOLOGY.spot(2).weight_ppm == 140_000


def test_correlation_sets__btc_and_eth__base_high_low() -> None:
    # g = .70: base .70, high 1.25 * .70 = .875, low max(2 * .70 - 1, .75 * .70) = .525
    sets = dict(METHODOLOGY.correlation_sets)
    assert [sets[name][0][1] for name in ("base", "high", "low")] == [700_000, 875_000, 525_000]
    # two majors: .50, .625, max(0, .375)
    assert [sets[name][0][2] for name in ("base", "high", "low")] == [500_000, 625_000, 375_000]


def test_correlation_sets__two_to_eight_underlyings__always_valid() -> None:
    one = json.loads(METHODOLOGY.to_json())["underlyings"][0]
    for count in range(2, 9):
        listed = [{**one, "underlying": i + 1, "major": i % 3 > 0} for i in range(count)]
        # one asset tied to two that hardly know each other: no such three variables exist
        pairs = [[1, 2, 1_000_000], [1, 3, 1_000_000], [2, 3, 100_000]]
        kept = [pair for pair in pairs if pair[1] <= count]
        text = changed(underlyings=listed, correlations__pairs=kept)
        for _, matrix in Methodology.from_json(text).correlation_sets:
            assert len(matrix) == count
            assert exceeds(matrix, 50_000)


@pytest.mark.parametrize(("stated", "counted"), [(0, 0), (3, 3), (4, 1), (15, 1)])
def test_counted_tier__stated_on_chain__dearest_where_unknown(stated, counted):
    assert Methodology.default().counted_tier(stated) == counted
