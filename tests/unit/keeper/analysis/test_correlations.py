"""Estimated correlations: plausible, symmetric in nothing but their pair, and accepted by the methodology."""

import json

from keeper.analysis.correlations import estimated_pairs
from keeper.risk.methodology import Methodology
from keeper.risk.scenario_set import Moves, ScenarioSet

METHODOLOGY = Methodology.default()
IDS = {1: "BTC", 2: "ETH", 3: "SOL"}


def test_estimated_pairs__opposite_and_equal_moves__zero_and_one() -> None:
    one = Moves(*((1, -2, 5, 7),) * 4)
    other = Moves(*((-1, 2, -5, 9),) * 4)
    found = ScenarioSet(("a", "b", "c", "d"), 3, {"X": 1, "Y": 1, "Z": 1}, {"X": one, "Y": one, "Z": other})
    assert estimated_pairs(found, {7: "X", 8: "Y", 9: "Z", 10: "?"}) == (
        (7, 8, 10**6),
        (7, 9, 0),
        (8, 9, 0),
    )


def test_estimated_pairs__one_underlying__none() -> None:
    assert estimated_pairs(METHODOLOGY.scenarios, {1: "BTC"}) == ()


def test_estimated_pairs__shipped_days__majors_move_together_and_load() -> None:
    pairs = estimated_pairs(METHODOLOGY.scenarios, IDS)
    assert all(500_000 < ppm < 900_000 for _, _, ppm in pairs)
    data = json.loads(METHODOLOGY.to_json())
    data["correlations"]["pairs"] = pairs
    assert Methodology.from_json(json.dumps(data)).correlations.pairs == pairs
