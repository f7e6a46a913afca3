"""Scenario sets: the shipped one, the file format, and what is refused."""

import json

import pytest

from keeper.risk.methodology import Methodology
from keeper.risk.scenario_set import ScenarioSet

SHIPPED = ScenarioSet.default()


def small(**changes: object) -> str:
    part = {"days": ["a", "b"], "X": dict.fromkeys(("spot", "level", "skew", "curvature"), [1, -2])}
    return json.dumps({"references": {"X": 30_000}, "filtered": part, "stressed": part, **changes})


def test_default__shape__five_hundred_filtered_and_250_stressed_days() -> None:
    assert (SHIPPED.filtered, SHIPPED.stressed) == (500, 250)
    assert list(SHIPPED.moves) == ["BTC", "ETH", "SOL"]
    assert SHIPPED.labels[499] == "2025-03-31"


def test_default__worst_bitcoin_day__the_twelfth_of_march_2020() -> None:
    spot = SHIPPED.moves["BTC"].spot
    worst = min(range(750), key=lambda i: spot[i])
    assert SHIPPED.name(worst) == "stressed 2020-03-12"
    # Binance closed at 4800.0 after 7934.52
    assert spot[worst] == -502_607


def test_default__hash__named_by_the_methodology() -> None:
    assert Methodology.default().expected_shortfall.scenarios == "0x" + SHIPPED.hash().hex()


def test_to_json__read_again__same_set() -> None:
    again = ScenarioSet.from_json(SHIPPED.to_json("anywhere"))
    assert again == SHIPPED
    assert again.hash() == SHIPPED.hash()


def test_hash__one_move_changed__another() -> None:
    text = small()
    assert ScenarioSet.from_json(text).hash() != ScenarioSet.from_json(text.replace("-2", "-3", 1)).hash()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "malformed file"),
        (small(references={"Y": 1}), "malformed file"),
        (small(references={}), "every underlying needs moves"),
        (small(references={"X": 0}), "references must be positive"),
        (small().replace("-2", "-2.0"), "moves must be whole ppm"),
        (small().replace("-2", "-3000001"), "moves must be whole ppm"),
        (small().replace('["a", "b"]', '["a", "a"]'), "labels must not repeat"),
        (small().replace("[1, -2]", "[1]", 1), "one move of each kind"),
    ],
)
def test_from_json__bad_file__refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"scenarios: .*{reason}"):
        ScenarioSet.from_json(text)


def test_methodology__other_scenarios_than_named__refused() -> None:
    with pytest.raises(ValueError, match="scenarios must be those that the parameters name"):
        Methodology.from_json(Methodology.default().to_json(), ScenarioSet.from_json(small()))
