"""Equity and margins against the spots, on a model that is plain arithmetic."""

import pytest

from keeper.analysis.spot_curve import MOVES, spot_curve
from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import MarketState, Underlying
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.presets.requirement import Requirement

MARKET = MarketState(
    0, {"BTC": Underlying("BTC", 100.0, 100.0, {}), "ETH": Underlying("ETH", 10.0, 10.0, {})}
)
LONG = Portfolio((Position("BTC", Kind.PERP, 1.0, entry=100.0),), cash=30.0)


def tenth(portfolio: Portfolio, market: MarketState) -> Requirement:
    """Margins of a tenth and a twentieth of the value."""
    values = [(p.quantity, market.underlying(p.underlying).perp, p.entry or 0.0) for p in portfolio.positions]
    equity = portfolio.cash + sum(q * (price - entry) for q, price, entry in values)
    gross = sum(abs(q) * price for q, price, _ in values)
    return Requirement("tenth", 0.0, equity, 0.1 * gross, 0.05 * gross)


def test_spot_curve__long_perp__liquidated_where_equity_is_a_twentieth() -> None:
    # 30 + 100 x = 5 (1 + x)
    curve = spot_curve(tenth, LONG, MARKET, ["BTC"])
    assert curve.liquidations == (pytest.approx(-25.0 / 95.0, abs=1e-4),)
    assert [point.move for point in curve.points] == sorted(MOVES)
    half = next(point for point in curve.points if point.move == -0.5)
    assert (half.equity, half.initial, half.maintenance) == pytest.approx((-20.0, 5.0, 2.5))
    assert half.surplus == pytest.approx(-22.5)


def test_spot_curve__short_and_long__both_ends() -> None:
    both = Portfolio((*LONG.positions, Position("ETH", Kind.PERP, -20.0, entry=10.0)), cash=30.0)
    # of ether alone: 30 - 200 x = 5 + 10 (1 + x)
    ether = spot_curve(tenth, both, MARKET, ["ETH"]).liquidations
    assert ether == (pytest.approx(15.0 / 210.0, abs=1e-4),)
    # together: 30 - 100 x = 15 (1 + x)
    together = spot_curve(tenth, both, MARKET, ["BTC", "ETH"]).liquidations
    assert together == (pytest.approx(15.0 / 115.0, abs=1e-4),)


def test_spot_curve__never_liquidated__no_move() -> None:
    assert spot_curve(tenth, Portfolio((), cash=1.0), MARKET, ["BTC"]).liquidations == ()
