"""Trades in a portfolio."""

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.moves import Change, later, with_spots
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.portfolio.trades import added, parse_trade, pinned, settled, value

EXPIRY = 1_751_011_200
NOW = EXPIRY - 2 * 86_400
MARKET = MarketState(
    NOW,
    {"BTC": Underlying("BTC", 100.0, 101.0, {EXPIRY: Expiry(EXPIRY, 100.0, vols=((100.0, 0.5),))})},
)


def test_parse_trade__with_a_price__taken() -> None:
    position, price = parse_trade("BTC-27JUN25-100-C:-5@1200", MARKET)
    assert position == Position("BTC", Kind.CALL, -5.0, 100.0, EXPIRY)
    assert price == 1_200.0


def test_parse_trade__without_a_price__todays_value() -> None:
    # at the money: F * (2 N(sd / 2) - 1) with sd = .5 * sqrt(2 / 365) = .0370117
    assert parse_trade("BTC-27JUN25-100-P:1", MARKET)[1] == pytest.approx(1.47648, abs=1e-4)
    assert parse_trade("BTC-PERP:2", MARKET)[0] == Position("BTC", Kind.PERP, 2.0, entry=101.0)
    assert parse_trade("BTC-27JUN25:2@98", MARKET)[0].entry == 98.0


@pytest.mark.parametrize(
    "text", ["BTC-PERP", "BTC-PERP:x", "BTC-PERP:1@", "BTC:1", "BTC-PERP:1@x", "BTC-PERP:nan"]
)
def test_parse_trade__malformed__refused(text: str) -> None:
    with pytest.raises(ValueError, match="no trade|numbers|none of|finite"):
        parse_trade(text, MARKET)


def test_added__option_and_perp__only_the_premium_is_paid() -> None:
    done = [parse_trade("BTC-27JUN25-100-C:-5@2", MARKET), parse_trade("BTC-PERP:3@99", MARKET)]
    portfolio = added(Portfolio((), cash=100.0), done)
    assert portfolio.cash == 110.0
    assert [p.entry for p in portfolio.positions] == [None, 99.0]


def test_pinned__linear_without_entry__gets_todays_price() -> None:
    positions = (
        Position("BTC", Kind.PERP, 1.0),
        Position("BTC", Kind.PERP, 1.0, entry=90.0),
        Position("BTC", Kind.FUTURE, 1.0, expiry=EXPIRY),
        Position("BTC", Kind.CALL, 1.0, 100.0, EXPIRY),
    )
    found = pinned(Portfolio(positions), MARKET).positions
    assert [p.entry for p in found] == [101.0, 90.0, 100.0, None]


def test_settled__expired_legs__become_cash() -> None:
    positions = (
        Position("BTC", Kind.CALL, -2.0, 90.0, EXPIRY),
        Position("BTC", Kind.PUT, 1.0, 90.0, EXPIRY),
        Position("BTC", Kind.FUTURE, 3.0, expiry=EXPIRY, entry=100.0),
        Position("BTC", Kind.PERP, 1.0),
    )
    moved = later(with_spots(MARKET, [Change("BTC", "set", 110.0)]), 2 * 86_400)
    found = settled(Portfolio(positions, cash=5.0), moved)
    assert found.positions == positions[3:]
    assert found.cash == pytest.approx(5.0 - 2.0 * 20.0 + 0.0 + 3.0 * 10.0)
    assert settled(Portfolio(positions), MARKET).positions == positions


def test_value__no_such_expiry__refused() -> None:
    with pytest.raises(LookupError, match="no expiry"):
        value(Position("BTC", Kind.FUTURE, 1.0, expiry=EXPIRY + 1), MARKET)
