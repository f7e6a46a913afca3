"""What holds for every venue's model."""

import json
import math

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.presets.registry import NAMES, Model, model
from keeper.pricing.svi import Svi

NOW = 1_760_000_000
NEAR, FAR = NOW + 9 * 86_400, NOW + 90 * 86_400
SMILE = Svi(0.01, 0.08, -0.3, -0.05, 0.2)
EXPIRIES = {
    x: Expiry(x, 100_200.0, rate=0.04, smile=SMILE, smile_forward=100_200.0, smile_years=0.1)
    for x in (NEAR, FAR)
}
MARKET = MarketState(NOW, {"BTC": Underlying("BTC", 100_000.0, 100_050.0, EXPIRIES)})
VENUES = [x for x in NAMES if x != "plimsoll"]


def call(quantity: float, strike: float = 110_000.0, expiry: int = NEAR) -> Position:
    return Position("BTC", Kind.CALL, quantity, strike, expiry)


def put(quantity: float, strike: float = 90_000.0, expiry: int = NEAR) -> Position:
    return Position("BTC", Kind.PUT, quantity, strike, expiry)


BOOK = (call(-2.0), call(1.5, 120_000.0), put(-1.0), put(1.0, 95_000.0, FAR), Position("BTC", Kind.PERP, 0.5))


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> Model:
    return model(request.param)


def test_evaluate__empty_book__needs_nothing(venue: Model) -> None:
    result = venue.evaluate(Portfolio((), 100.0), MARKET)
    assert (result.mark, result.equity, result.initial, result.maintenance) == (0.0, 100.0, 0.0, 0.0)


def test_evaluate__positions_that_cancel__need_nothing(venue: Model) -> None:
    perps = (Position("BTC", Kind.PERP, 1.0), Position("BTC", Kind.PERP, -1.0))
    result = venue.evaluate(Portfolio((call(1.0), call(-1.0), *perps)), MARKET)
    assert (result.mark, result.initial, result.maintenance) == (0.0, 0.0, 0.0)


def test_evaluate__order_and_splitting_of_positions__do_not_matter(venue: Model) -> None:
    halves = tuple(
        Position(x.underlying, x.kind, x.quantity / 2, x.strike, x.expiry) for x in reversed(BOOK * 2)
    )
    one, two = (venue.evaluate(Portfolio(x), MARKET) for x in (BOOK, halves))
    for field in ("mark", "initial", "maintenance"):
        assert math.isclose(getattr(one, field), getattr(two, field), rel_tol=1e-12)


def test_evaluate__twice_the_book__twice_the_margin(venue: Model) -> None:
    # small enough for what Deribit charges by size: the dampener, the step per coin
    small = tuple(Position(x.underlying, x.kind, x.quantity / 4, x.strike, x.expiry) for x in BOOK)
    double = tuple(Position(x.underlying, x.kind, x.quantity * 2, x.strike, x.expiry) for x in small)
    one, two = (venue.evaluate(Portfolio(x), MARKET) for x in (small, double))
    assert math.isclose(two.maintenance, 2.0 * one.maintenance, rel_tol=1e-3)


def test_evaluate__initial__covers_maintenance(venue: Model) -> None:
    result = venue.evaluate(Portfolio(BOOK, 1_000.0), MARKET)
    assert result.initial > result.maintenance > 0.0
    assert result.model == venue.name
    assert math.isclose(result.equity, 1_000.0 + result.mark, rel_tol=1e-12)


def test_evaluate__breakdown__is_json(venue: Model) -> None:
    breakdown = venue.evaluate(Portfolio(BOOK), MARKET).breakdown
    assert json.loads(json.dumps(breakdown))


def test_evaluate__another_naked_short__never_lowers_the_requirement(venue: Model) -> None:
    # beyond what it costs to buy back: a short's mark is in equity
    for more in (call(-1.0, 150_000.0), put(-1.0, 60_000.0, FAR)):
        one, two = (venue.evaluate(Portfolio(x), MARKET) for x in ((call(-1.0),), (call(-1.0), more)))
        assert two.maintenance >= one.maintenance - 1e-9
