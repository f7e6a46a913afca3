"""Deribit's portfolio margin against the venue's published responses of private/pme/simulate.

BTC: example of docs.deribit.com/api-reference/account-management/private-simulate (timestamp 1718619740501).
ETH: a response of 2026-02-15 (timestamp 1771197609587) that a public repository keeps.
"""

import math

import numpy as np
import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Holding, Portfolio, Position
from keeper.presets import deribit_pm
from keeper.presets.parameters import load_parameters
from keeper.presets.requirement import Requirement
from keeper.pricing import black76

JUNE = 1_719_561_600  # 28 June 2024, 08:00 UTC
BTC_NOW, ETH_NOW = 1_718_619_740, 1_771_197_609
BTC_MARKET = MarketState(
    BTC_NOW, {"BTC": Underlying("BTC", 65666.19, 65910.57, {JUNE: Expiry(JUNE, 67371.75)})}
)
BTC_BOOK = Portfolio(
    (
        Position("BTC", Kind.PERP, 0.314538364),
        Position("BTC", Kind.FUTURE, -0.001187534, expiry=JUNE),
    )
)
ETH_MARKET = MarketState(ETH_NOW, {"ETH": Underlying("ETH", 1949.34, 1949.49, {})})
ETH_BOOK = Portfolio((Position("ETH", Kind.PERP, -0.999487053),))
# one entry per price node; the three vol states are equal without options
BTC_PERP = [
    -0.05991206933333334,
    -0.04289159509090909,
    -0.027351162086956524,
    -0.013105765166666668,
    0.0,
    0.012097629384615385,
    0.023299138074074074,
    0.033700538999999995,
    0.043384601931034494,
]
BTC_FUTURE = [
    0.0002261969523809524,
    0.00016193645454545456,
    0.00010326382608695652,
    0.00004948058333333334,
    0.0,
    -0.00004567438461538462,
    -0.00008796548148148148,
    -0.0001272357857142857,
    -0.00016379779310344832,
]
BTC_AGGREGATED = [
    -0.05968587238095239,
    -0.04272965863636364,
    -0.02724789826086957,
    -0.013056284583333334,
    *[0.0] * 5,
]
ETH_BEFORE = [
    0.21939959699999997,
    0.155989308849711,
    0.09885036787912087,
    0.04709624857068063,
    0.0,
    -0.04304011233014354,
    -0.08252645391743119,
    -0.11888171996035243,
    -0.15246412672881357,
]
ETH_AGGREGATED = [
    0.13163975819999998,
    0.09359358530982659,
    0.05931022072747252,
    0.028257749142408375,
    *ETH_BEFORE[4:],
]


def evaluate(portfolio: Portfolio, market: MarketState, **overrides: object) -> Requirement:
    return deribit_pm.evaluate(portfolio, market, load_parameters("deribit-pm", overrides))


def thrice(nodes: list[float]) -> list[float]:
    return [x for x in nodes for _ in range(3)]


def close(values: object, expected: object) -> bool:
    return bool(np.allclose(values, expected, rtol=1e-12, atol=1e-16))


def test_evaluate__documented_btc_example__every_vector_and_margin() -> None:
    result = evaluate(BTC_BOOK, BTC_MARKET)
    margins = result.breakdown["margins"]["BTC"]
    before = np.add(BTC_PERP, BTC_FUTURE)
    assert close(margins["pre_aggregated"]["standard"], thrice(before.tolist()))
    assert close(margins["pre_aggregated"]["extended"], [before[0]] * 2 + [before[-1]] * 6)
    assert close(margins["aggregated"]["standard"], thrice(BTC_AGGREGATED))
    assert close(margins["aggregated"]["extended"], [0.0] * 8)
    assert margins["worst_case_bucket"] == {"source": "standard", "index": 1, "bucket": 1}
    assert math.isclose(margins["worst_case"], 0.05968587238095239, rel_tol=1e-12)
    assert math.isclose(margins["roll_shock"], 0.00315725898, rel_tol=1e-12)
    assert margins["delta_shock"] == 0.0
    assert math.isclose(margins["risk_matrix_margin"], 0.06284313098, rel_tol=1e-12)
    assert math.isclose(margins["maintenance_margin"], 0.050274504784, rel_tol=1e-12)
    # the venue adds .06 of market-maker protection and .000018212 of open orders and rounds to 1e-9
    assert round(margins["risk_matrix_margin"] + 0.06 + 0.000018212, 9) == 0.122861343


def test_evaluate__eth_response__every_vector_and_margin() -> None:
    result = evaluate(ETH_BOOK, ETH_MARKET)
    margins = result.breakdown["margins"]["ETH"]
    assert close(margins["pre_aggregated"]["standard"], thrice(ETH_BEFORE))
    assert close(margins["pre_aggregated"]["extended"], [ETH_BEFORE[0]] * 2 + [ETH_BEFORE[-1]] * 6)
    assert close(margins["aggregated"]["standard"], thrice(ETH_AGGREGATED))
    assert close(margins["aggregated"]["extended"], [0.0] * 8)
    assert margins["worst_case_bucket"] == {"source": "standard", "index": 25, "bucket": 9}
    assert math.isclose(margins["worst_case"], 0.15246412672881357, rel_tol=1e-12)
    assert math.isclose(margins["roll_shock"], 0.004997435265, rel_tol=1e-12)
    assert math.isclose(margins["risk_matrix_margin"], 0.157461562265, rel_tol=1e-12)
    assert math.isclose(margins["maintenance_margin"], 0.125969249812, rel_tol=1e-12)
    assert math.isclose(result.initial, 0.157461562265 * 1949.34, rel_tol=1e-12)
    assert math.isclose(result.maintenance, 0.125969249812 * 1949.34, rel_tol=1e-12)


def option(quantity: float, strike: float = 70_000.0, kind: Kind = Kind.CALL) -> Position:
    return Position("BTC", kind, quantity, strike, JUNE)


def market_with_vol(vol: float) -> MarketState:
    return MarketState(
        BTC_NOW,
        {"BTC": Underlying("BTC", 65666.19, 65910.57, {JUNE: Expiry(JUNE, 67371.75, vols=((7e4, vol),))})},
    )


@pytest.mark.parametrize("settlement", ["coin", "usd"])
def test_evaluate__one_option__table_computed_entry_by_entry(settlement: str) -> None:
    # no published example holds options: entries computed one at a time from the documented rules
    vol, forward, years = 0.55, 67371.75, (JUNE - BTC_NOW) / 31_536_000
    overrides = {"pair": {"BTC": {"settlement": settlement}}}
    result = evaluate(Portfolio((option(-2.0),)), market_with_vol(vol), **overrides)

    def value(move: float, sigma: float) -> float:
        f = forward * (1.0 + move)
        usd = float(black76.price(is_call=True, forward=f, strike=7e4, years=years, vol=sigma))
        return usd / f if settlement == "coin" else usd

    shock = (30.0 / (years * 365.0)) ** 0.3
    states = (max(vol * (1 + 0.5 * shock), 0.5), vol, vol * (1 - 0.25 * shock))
    vectors = result.breakdown["margins"]["BTC"]["pre_aggregated"]
    expected = [
        -2.0 * (value(i / 4 * 0.16, sigma) - value(0.0, vol)) for i in range(-4, 5) for sigma in states
    ]
    assert np.allclose(vectors["standard"], expected, rtol=1e-9, atol=1e-12)
    for move, entry in zip((-0.66, -0.33, 0.5, 1, 2, 3, 4, 5), vectors["extended"], strict=True):
        part = 0.16 / abs(move)
        if settlement == "coin":
            part *= (1 + move) / (1 + math.copysign(0.16, move))
        assert math.isclose(entry, -2.0 * (value(move, states[0]) - value(0.0, vol)) * part, rel_tol=1e-9)


def test_evaluate__large_short_calls__bound_by_the_dampened_extended_table() -> None:
    far = Portfolio((option(-2000.0, 150_000.0),))
    small = Portfolio((option(-2.0, 150_000.0),))
    large = evaluate(far, market_with_vol(0.55)).breakdown["margins"]["BTC"]
    assert large["worst_case_bucket"]["source"] == "extended"
    move = (0.5, 1, 2, 3, 4, 5)[large["worst_case_bucket"]["index"] - 3]
    relief = (move / 0.16 - 1) * 100_000 / (65666.19 * 1.16)
    index = large["worst_case_bucket"]["index"] - 1
    assert math.isclose(
        large["worst_case"], -large["pre_aggregated"]["extended"][index] - relief, rel_tol=1e-9
    )
    # the dampener takes a small book out of the extended table
    assert (
        evaluate(small, market_with_vol(0.55)).breakdown["margins"]["BTC"]["aggregated"]["extended"]
        == [0.0] * 8
    )


def test_evaluate__exposure_beyond_the_threshold__delta_shock_grows_and_is_capped() -> None:
    free = 20_000_000 / 65666.19

    def shock(*positions: Position) -> float:
        margins = evaluate(Portfolio(positions), market_with_vol(0.55)).breakdown["margins"]["BTC"]
        return float(margins["delta_shock"])

    perp = Position("BTC", Kind.PERP, -(free + 100.0))
    assert math.isclose(shock(perp), (free + 100.0) * 100.0 * 0.00005, rel_tol=1e-9)
    assert math.isclose(shock(Position("BTC", Kind.PERP, -10_000.0)), 1_000.0, rel_tol=1e-12)
    assert shock(Position("BTC", Kind.PERP, free)) == 0.0
    # options held long reduce it, and never add to it
    assert shock(perp, option(1_000.0)) == 0.0
    assert shock(perp, option(1_000.0, kind=Kind.PUT)) == shock(perp)


def test_evaluate__collateral_in_coins__hedges_a_short_call_that_settles_in_usd() -> None:
    overrides = {"pair": {"BTC": {"settlement": "usd"}}}
    naked = evaluate(Portfolio((option(-1.0),)), market_with_vol(0.55), **overrides)
    covered = Portfolio((option(-1.0),), collateral=(Holding("BTC", 1.0),))
    assert evaluate(covered, market_with_vol(0.55), **overrides).equity > naked.equity
    up = covered, market_with_vol(0.55)
    vector = evaluate(*up, **overrides).breakdown["margins"]["BTC"]["pre_aggregated"]["standard"]
    bare = naked.breakdown["margins"]["BTC"]["pre_aggregated"]["standard"]
    assert np.allclose(np.subtract(vector, bare)[-3:], 65666.19 * 0.16)


def test_evaluate__two_underlyings__added_when_segregated_offset_when_crossed() -> None:
    market = MarketState(ETH_NOW, BTC_MARKET.underlyings | ETH_MARKET.underlyings)
    both = Portfolio((Position("BTC", Kind.PERP, 0.01), ETH_BOOK.positions[0]))
    parts = [Portfolio((x,)) for x in both.positions]
    separate = sum(evaluate(x, market).initial for x in parts)
    assert math.isclose(evaluate(both, market).initial, separate, rel_tol=1e-12)
    crossed = evaluate(both, market, model="cross")
    # at the lowest node the BTC loss is met by 60 % of the ETH gain
    worst = min(
        float(
            np.sum(
                [
                    np.array(m["aggregated"][t]) * unit
                    for m, unit in (
                        (crossed.breakdown["margins"]["BTC"], 65666.19),
                        (crossed.breakdown["margins"]["ETH"], 1949.34),
                    )
                ],
                axis=0,
            ).min()
        )
        for t in ("standard", "extended")
    )
    assert math.isclose(crossed.breakdown["worst_case"]["cross"], -worst, rel_tol=1e-9)
    assert crossed.initial < separate


def test_evaluate__unknown_settlement_or_model__error() -> None:
    with pytest.raises(ValueError, match="model must be segregated or cross"):
        evaluate(BTC_BOOK, BTC_MARKET, model="both")
    with pytest.raises(ValueError, match="settlement must be coin or usd"):
        evaluate(BTC_BOOK, BTC_MARKET, pair={"BTC": {"settlement": "gold"}})
