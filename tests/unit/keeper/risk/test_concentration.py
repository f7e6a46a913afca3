"""Concentration: single numbers by hand; the bound itself is a property of whole margins (test_margin)."""

import json

import pytest

from keeper.risk.concentration import Position, Reach, excess, reach, root_up, threshold
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD

METHODOLOGY = Methodology.default()
LIMIT = 1_200_000_000 * 10**6  # ETH: 12M USD per 1 %, in quanta of 1e-6 USD
ONLY_ETH = [2]


@pytest.mark.parametrize(
    ("square", "root"), [(0, 0), (1, 1), (2, 2), (4, 2), (5, 3), (10**30 + 1, 10**15 + 1)]
)
def test_root_up__any_square__rounds_up(square: int, root: int) -> None:
    assert root_up(square) == root


def test_threshold__eth__a_hundred_times_the_delta_per_percent() -> None:
    assert threshold(METHODOLOGY, 2) == LIMIT
    assert threshold(METHODOLOGY, 99) == 25_000_000 * 10**6


def test_excess__at_the_threshold__nothing() -> None:
    assert excess(LIMIT, 10**12, LIMIT) == 0


def test_excess__nine_times_the_threshold__twice_the_charge() -> None:
    assert excess(9 * LIMIT, 10**12, LIMIT) == 2 * 10**12


def test_reach__empty_account__up_to_the_threshold_without_multiplier() -> None:
    found = reach([{}], ONLY_ETH, METHODOLOGY)
    # 1.2bn USD of delta has a delta charge of .14 * sqrt(.95) * 1.2bn = 163.7M USD at least
    assert found.marginal == WAD
    assert found.max_added / WAD == pytest.approx(0.14 * 0.95**0.5 * 1.2e9, rel=1e-5)


def test_reach__parameter_below_the_room__the_parameter() -> None:
    small = Methodology.from_json(METHODOLOGY.to_json().replace('"1000000000000000000000000000"', '"7"'))
    assert reach([{}], ONLY_ETH, small) == Reach(WAD, 7)


def test_reach__several_underlyings__the_scarcest_rules() -> None:
    # an unnamed one: .35 * sqrt(.95) * 25M USD
    found = reach([{}], [1, 2, 99], METHODOLOGY)
    assert found.max_added / WAD == pytest.approx(0.35 * 0.95**0.5 * 25e6, rel=1e-5)


def test_reach__four_times_the_threshold__multiplier_by_hand() -> None:
    # CR at 5 thresholds: sqrt(5) = 2.236068; slope: 4 / (sqrt(.95) * (2 + 1)) = 1.367973; one off, times the
    # spread 2.589572 of the default sets
    held = {2: Position(4 * LIMIT, 4 * LIMIT)}
    found = reach([held], ONLY_ETH, METHODOLOGY)
    assert found.marginal / WAD == pytest.approx(1 + 2.589572 * (1.236068 + 1.367973), rel=1e-5)
    assert found.max_added / WAD == pytest.approx(0.14 * 0.95**0.5 * 1.2e9, rel=1e-5)


def test_reach__two_states__holds_for_both() -> None:
    states = [{2: Position(4 * LIMIT, 4 * LIMIT)}, {2: Position(LIMIT // 2, LIMIT // 2)}]
    both = reach(states, ONLY_ETH, METHODOLOGY)
    apart = [reach([state], ONLY_ETH, METHODOLOGY) for state in states]
    assert both == Reach(max(r.marginal for r in apart), min(r.max_added for r in apart))


def test_reach__underlying_outside_the_sets__no_spread() -> None:
    data = json.loads(METHODOLOGY.to_json())
    data["other"] = data["underlyings"][1]["spot"]
    like_eth = Methodology.from_json(json.dumps(data))
    found = reach([{99: Position(4 * LIMIT, 4 * LIMIT)}], [99], like_eth)
    assert found.marginal / WAD == pytest.approx(1 + 1.236068 + 1.367973, rel=1e-5)


@pytest.mark.parametrize("thresholds", [2, 4, 16])
def test_reach__largest_addition_in_one_direction__bound_holds_and_is_not_wasteful(thresholds: int) -> None:
    data = json.loads(METHODOLOGY.to_json())
    data["other"] = data["underlyings"][1]["spot"]
    like_eth = Methodology.from_json(json.dumps(data))
    held = thresholds * LIMIT
    found = reach([{99: Position(held, held)}], [99], like_eth)
    # one expiry: the delta charge is .14 of net delta, so the reach in delta is max_added / (.14 sqrt(.95))
    more = round(found.max_added / WAD * 1e6 / (0.14 * 0.95**0.5))
    assert more == pytest.approx(held * 0.25, rel=1e-5)
    weight = 140_000
    grown = excess(held + more, (held + more) * weight // 10**6, LIMIT) - excess(
        held, held * weight // 10**6, LIMIT
    )
    allowed = (found.marginal - WAD) / WAD * more * weight / 10**6
    assert 0.75 * allowed < grown <= allowed
