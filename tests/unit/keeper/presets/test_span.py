"""SPAN against the worked example of L. G. McMillan, "Options as a Strategic Investment", chapter 34.

An S&P 500 future with a maintenance margin of 10,000 and an extreme move of 7,000 at risk, and a December 410
call: both arrays are printed there, as is the covered write's. Contracts are 500 times the index.
"""

import math
from typing import Any

import numpy as np
import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Holding, Portfolio, Position
from keeper.presets import span
from keeper.presets.parameters import load_parameters
from keeper.presets.requirement import Requirement
from keeper.pricing import black76

NOW, DECEMBER, MARCH = 1_760_000_000, 1_766_736_000, 1_774_598_400
PRICE = 204_000.0
FUTURE = [0, 0, 3330, 3330, -3330, -3330, 6670, 6670, -6670, -6670, 10000, 10000, -10000, -10000, 7000, -7000]
CALL = [460, -610, 2640, 1730, -1270, -2340, 5210, 4540, -2540, -3430, 8060, 7640, -3380, -3990, 3130, -1500]
NAMES = ("SP-26DEC25", "SP-26DEC25-205000-C")


def underlying(symbol: str, price: float) -> Underlying:
    expiries = {x: Expiry(x, price, vols=((1.0, 0.5),)) for x in (DECEMBER, MARCH)}
    return Underlying(symbol, price, price, expiries)


MARKET = MarketState(
    NOW,
    {"SP": underlying("SP", PRICE), "BTC": underlying("BTC", 100_000.0), "ETH": underlying("ETH", 4_000.0)},
)


def evaluate(*positions: Position, **overrides: Any) -> Requirement:
    return span.evaluate(Portfolio(positions), MARKET, load_parameters("span", overrides))


def detail(result: Requirement, symbol: str = "BTC") -> dict[str, Any]:
    return dict(result.breakdown["commodities"][symbol])


def future(quantity: float, symbol: str = "BTC", expiry: int = DECEMBER) -> Position:
    return Position(symbol, Kind.FUTURE, quantity, expiry=expiry)


def call(quantity: float, strike: float = 110_000.0, symbol: str = "BTC", expiry: int = DECEMBER) -> Position:
    return Position(symbol, Kind.CALL, quantity, strike, expiry)


@pytest.mark.parametrize(
    ("futures", "calls", "requirement", "scenario"),
    [
        (1.0, 0.0, 10_000.0, 13),
        (0.0, 1.0, 3_990.0, 14),
        (1.0, -1.0, 6_620.0, 13),
        # his ratio write of 3 futures and 5 calls, which he leaves to the reader
        (3.0, -5.0, 3 * 7_000.0 - 5 * 1_500.0, 16),
    ],
)
def test_evaluate__mcmillan__same_requirement(
    futures: float, calls: float, requirement: float, scenario: int
) -> None:
    arrays = {"risk_arrays": dict(zip(NAMES, (FUTURE, CALL), strict=True))}
    positions = [x for x in (future(futures, "SP"), call(calls, 205_000.0, "SP")) if x.quantity]
    result = evaluate(
        *positions, **arrays, commodity={"SP": {"short_option_minimum": 0.0, "calendar_charge": 0.0}}
    )
    assert result.maintenance == requirement
    assert math.isclose(result.initial, 1.1 * requirement, rel_tol=1e-12)
    assert detail(result, "SP")["active_scenario"] == scenario
    expected = futures * np.array(FUTURE) + calls * np.array(CALL)
    assert np.allclose(detail(result, "SP")["losses"], -expected, rtol=0, atol=1e-9)


def test_evaluate__mcmillan_future__computed_array_within_his_rounding() -> None:
    overrides = {"commodity": {"SP": {"price_scan_range": 10_000 / PRICE}}}
    losses = detail(evaluate(future(1.0, "SP"), **overrides), "SP")["losses"]
    # he rounds thirds to ten dollars
    assert np.allclose(losses, -np.array(FUTURE), rtol=0, atol=3.4)
    assert math.isclose(max(losses), 10_000.0, rel_tol=1e-12)


def test_evaluate__one_option__array_computed_entry_by_entry() -> None:
    years, later = (DECEMBER - NOW) / 31_536_000, (DECEMBER - NOW) / 31_536_000 - 1 / 365

    def value(move: float, vol: float, at: float) -> float:
        forward = 100_000.0 * (1 + move)
        return float(black76.price(is_call=True, forward=forward, strike=110_000.0, years=at, vol=vol))

    now = value(0.0, 0.5, years)
    thirds = (0, 1, -1, 2, -2, 3, -3)
    expected = [value(x / 3 * 0.16, 0.5 * f, later) - now for x in thirds for f in (1.4, 0.6)]
    expected += [0.35 * (value(x, 0.5, later) - now) for x in (0.32, -0.32)]
    losses = detail(evaluate(call(-1.0)))["losses"]
    assert np.allclose(losses, expected, rtol=1e-9, atol=1e-9)


def test_evaluate__calendar_spread__charged_per_coin_spread() -> None:
    result = detail(evaluate(future(3.0), future(-2.0, expiry=MARCH)))
    assert math.isclose(result["calendar_charge"], 2.0 * 0.01 * 100_000.0, rel_tol=1e-12)
    assert math.isclose(result["scan_risk"], 0.16 * 100_000.0, rel_tol=1e-12)
    assert math.isclose(result["risk"], 18_000.0, rel_tol=1e-12)


def test_evaluate__far_short_option__needs_the_minimum() -> None:
    result = detail(evaluate(call(-2.0, 5_000_000.0)))
    assert result["scan_risk"] < result["risk"] == 2.0 * 0.005 * 100_000.0


def test_evaluate__composite_delta__weighted_over_the_price_points() -> None:
    years = (DECEMBER - NOW) / 31_536_000 - 1 / 365
    points = np.array([0, 1, -1, 2, -2, 3, -3]) / 3 * 0.16
    delta = black76.greeks(
        is_call=True, forward=100_000.0 * (1 + points), strike=110_000.0, years=years, vol=0.5
    ).delta
    expected = np.average(delta, weights=[0.27, 0.217, 0.217, 0.11, 0.11, 0.037, 0.037])
    assert math.isclose(detail(evaluate(call(1.0)))["composite_delta"], expected, rel_tol=1e-12)


def test_evaluate__inter_commodity_spread__credits_both_legs() -> None:
    book = (future(1.0), future(-10.0, "ETH"))
    spread = {"legs": {"BTC": 1.0, "ETH": 20.0}, "credit": 0.5}
    result = evaluate(*book, spreads=[spread])
    # half a spread: all of the 10 ETH and half of the BTC; price risk is the whole scan risk of a future
    assert math.isclose(detail(result)["inter_commodity_credit"], 0.5 * 0.5 * 16_000.0, rel_tol=1e-12)
    assert math.isclose(detail(result, "ETH")["inter_commodity_credit"], 0.5 * 6_400.0, rel_tol=1e-12)
    assert math.isclose(result.maintenance, evaluate(*book).maintenance - 7_200.0, rel_tol=1e-12)
    same_side = evaluate(future(1.0), future(10.0, "ETH"), spreads=[spread])
    assert same_side.breakdown["spreads"] == []


def test_evaluate__price_risk_of_an_option__leaves_out_vol_and_time() -> None:
    result = evaluate(
        call(-1.0), future(10.0, "ETH"), spreads=[{"legs": {"BTC": 1.0, "ETH": 20.0}, "credit": 1.0}]
    )
    found = detail(result)
    losses = found["losses"]
    at = found["active_scenario"] - 1
    price_risk = (losses[at] + losses[at ^ 1]) / 2 - (losses[0] + losses[1]) / 2
    count = min(abs(found["composite_delta"]), 0.5)
    expected = count * price_risk / abs(found["composite_delta"])
    assert math.isclose(found["inter_commodity_credit"], expected, rel_tol=1e-12)


def test_evaluate__cash_and_collateral__count_in_equity() -> None:
    book = Portfolio((call(1.0),), 500.0, (Holding("ETH", 2.0),))
    result = span.evaluate(book, MARKET, load_parameters("span"))
    value = black76.price(
        is_call=True, forward=1e5, strike=110_000.0, years=(DECEMBER - NOW) / 31_536_000, vol=0.5
    )
    assert math.isclose(result.equity, 500.0 + 8_000.0 + float(value), rel_tol=1e-12)
    assert result.breakdown["haircuts"] == 0.3 * 8_000.0
    # a long option never needs more than its value
    assert 0.0 < result.maintenance - 2_400.0 <= float(value)


def test_evaluate__malformed_array_or_spread__error() -> None:
    with pytest.raises(ValueError, match="risk array of BTC-26DEC25 has 2 values"):
        evaluate(future(1.0), risk_arrays={"BTC-26DEC25": [1.0, 2.0]})
    with pytest.raises(ValueError, match="a spread needs legs of two commodities"):
        evaluate(future(1.0), spreads=[{"legs": {"BTC": 1.0}}])
