"""Derive's first portfolio margin against the venue's own cases.

Source: github.com/derivexyz/v2-core at 740ef2947dd7887b401972043a1dfd446755be40,
test/risk-managers/unit-tests/PMRM/testAndVerifyScenarios.json, Test1 to Test7, with the parameters of
test/config-test.sol. Numbers there are 1e18.
"""

import math
from typing import NamedTuple

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Holding, Portfolio, Position
from keeper.presets import derive_pm1
from keeper.presets.parameters import load_parameters
from keeper.presets.requirement import Requirement

NOW, EXPIRY = 1_630_000_000, 1_630_000_000 + 500_400
VOLS = (
    (500.0, 1.653152366370104064),
    (900.0, 1.32865746389711104),
    (1200.0, 1.138939398828297472),
    (1500.0, 1.04788449408498624),
)
SPOTS = (1.15, 1.1, 1.05, 1.0, 0.95, 0.9, 0.85)
VENUE = {
    "scenarios": [{"spot": s, "vol": v} for s in SPOTS for v in ("up", "none", "down")],
    "vol": {"range_up": 0.45},
    "margin": {"initial_factor": 1.3, "rate_multiplier": 4.0, "rate_add": 0.05},
    "basis": {"add_factor": 0.25, "multiply_factor": 0.01},
    "contingency": {
        "peg_threshold": 0.98,
        "peg_factor": 2.0,
        "confidence_threshold": 0.6,
        "confidence_margin": 0.5,
        "perp": 0.02,
        "base": 0.02,
        "option": 0.01,
    },
}


class Case(NamedTuple):
    """Options as (strike, quantity); confidences; results as published, USD."""

    options: tuple[tuple[float, float], ...]
    spot_confidence: float
    perp_confidence: float
    mark: float
    basis: float
    initial: float
    maintenance: float


ATM = ((1500.0, 1.0),)
CASES = {
    "Test1": Case(
        ((1500.0, -1.0),),
        1.0,
        1.0,
        -79.371585189059936256,
        -11.275911269415124992,
        -368.48761976175558656,
        -301.768534860364300288,
    ),
    "Test2": Case(
        ((1200.0, 1.0),),
        1.0,
        1.0,
        305.747334449295720448,
        -17.381590857176696832,
        14.004464630197813248,
        81.3297422807588864,
    ),
    "Test3": Case(
        ((500.0, 1.0), (900.0, -1.0)),
        1.0,
        1.0,
        399.9391592362983424,
        -0.027442547681155032,
        332.34423845885673472,
        347.9430663305740288,
    ),
    "Test4": Case(
        ATM, 0.5, 1.0, 79.371585189059936, -8.47730089020888, -398.511886412749881, 0.230453187667771392
    ),
    "Test5": Case(
        ATM, 0.1, 1.0, 79.371585189059936, -8.47730089020888, -698.511886412749881, 0.230453187667771392
    ),
    "Test6": Case(
        ATM, 0.8, 1.0, 79.371585189059936, -8.47730089020888, -23.511886412749881, 0.230453187667771392
    ),
    "Test7": Case(
        ATM, 0.8, 0.3, 79.371585189059936, -8.47730089020888, -23.511886412749881, 0.230453187667771392
    ),
}


def evaluate(portfolio: Portfolio, spot_confidence: float = 1.0, perp_confidence: float = 1.0) -> Requirement:
    expiry = Expiry(EXPIRY, 1500.8332793109938176, rate=0.03, vols=VOLS)
    eth = Underlying("ETH", 1500.0, 1505.0, {EXPIRY: expiry}, spot_confidence, perp_confidence)
    market = MarketState(NOW, {"ETH": eth})
    return derive_pm1.evaluate(portfolio, market, load_parameters("derive-pm1", VENUE))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_evaluate__case_of_the_venue__both_margins(case: Case) -> None:
    book = Portfolio(tuple(Position("ETH", Kind.CALL, q, strike, EXPIRY) for strike, q in case.options))
    result = evaluate(book, case.spot_confidence, case.perp_confidence)
    basis = result.breakdown["markets"]["ETH"]["basis_contingency"]
    assert math.isclose(result.mark, case.mark, rel_tol=1e-9)
    assert math.isclose(basis, case.basis, rel_tol=1e-9)
    assert math.isclose(result.equity - result.initial, case.initial, rel_tol=1e-9)
    # the last one is the small difference of two numbers of 79: its own digits are fewer
    assert math.isclose(result.equity - result.maintenance, case.maintenance, rel_tol=1e-9, abs_tol=1e-9)


def test_evaluate__perp_and_base__formula_by_hand() -> None:
    book = Portfolio((Position("ETH", Kind.PERP, -2.0, entry=1500.0),), 100.0, (Holding("ETH", 1.0),))
    result = evaluate(book)
    # at + 15 %: short 2 at 1505, long 1 at 1500; 2 % of spot on 3 coins
    worst = (-2 * 1505 + 1500) * 0.15 - 3 * 1500 * 0.02
    assert math.isclose(result.maintenance, -worst, rel_tol=1e-12)
    assert math.isclose(result.initial, -worst * 1.3, rel_tol=1e-12)
    assert math.isclose(result.equity, 100.0 - 10.0 + 1500.0, rel_tol=1e-12)
    assert result.breakdown["markets"]["ETH"]["scenario"] == {"spot": 1.15, "vol": "up"}
