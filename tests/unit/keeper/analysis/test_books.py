"""The books of the backtest: fixed, and what their names say."""

from hashlib import sha256
from math import exp, log, sqrt

import pytest

from keeper.analysis.archetypes import ARCHETYPES
from keeper.analysis.books import NOTIONAL, TENORS, BookRecipe, LegRecipe, build, random_books
from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Portfolio

NOW = 1_700_000_000
DAY = 86_400
VOL = 0.6


def flat(spots: dict[str, float]) -> MarketState:
    expiries = {NOW + d * DAY: d for d in TENORS}
    return MarketState(
        NOW,
        {
            symbol: Underlying(
                symbol, spot, spot, {e: Expiry(e, spot, vols=((spot, VOL),)) for e in expiries}
            )
            for symbol, spot in spots.items()
        },
    )


MARKET = flat({"BTC": 50_000.0, "ETH": 2_500.0, "SOL": 100.0})


def book(name: str) -> Portfolio:
    return build(next(r for r in ARCHETYPES if r.name == name), MARKET)


def test_recipes__as_committed__unchanged() -> None:
    # whoever changes a book after looking at results has to change this line too
    text = repr((ARCHETYPES, random_books(), NOTIONAL))
    assert sha256(text.encode()).hexdigest()[:16] == "108e3509dc4d58da"


def test_archetypes__names__distinct_and_at_least_fourteen() -> None:
    assert len({r.name for r in ARCHETYPES}) == len(ARCHETYPES) >= 14


def test_random_books__each__two_notionals_of_legs() -> None:
    for recipe in random_books():
        assert sum(abs(leg.share) for leg in recipe.legs) == pytest.approx(2.0, abs=1e-3)


def test_build__straddle__two_notionals_of_options_at_the_forward() -> None:
    positions = book("short straddle BTC").positions
    assert {(p.kind, p.quantity, p.strike) for p in positions} == {
        (Kind.CALL, -2.0, 50_000.0),
        (Kind.PUT, -2.0, 50_000.0),
    }


def test_build__one_deviation__strike_moves_by_it() -> None:
    call = book("naked short call BTC").positions[0]
    assert log(call.strike / 50_000) == pytest.approx(VOL * sqrt(30 / 365), abs=1e-3)
    assert call.strike == round(50_000 * exp(VOL * sqrt(30 / 365)), -1)


def test_build__hedged_straddle__perp_of_the_options_delta() -> None:
    perp = next(p for p in book("short gamma hedged BTC").positions if p.kind == Kind.PERP)
    # a straddle at the forward has a delta of 2 N(vol sqrt(t) / 2) - 1; short 2 coins of it
    assert perp.quantity == pytest.approx(2 * 0.0331, abs=2e-3)
    assert perp.entry == 50_000.0


def test_build__covered_call__coins_beside_the_cash() -> None:
    covered = book("covered call BTC")
    assert [(h.asset, h.amount) for h in covered.collateral] == [("BTC", 2.0)]


def test_build__legs_that_cancel__are_gone() -> None:
    leg = LegRecipe("BTC", Kind.CALL, 1.0, 30)
    opposite = LegRecipe("BTC", Kind.CALL, -1.0, 30)
    assert build(BookRecipe("nothing", (leg, opposite)), MARKET).positions == ()


def test_build__underlying_not_recorded_yet__refused() -> None:
    with pytest.raises(LookupError, match="no underlying SOL"):
        build(next(r for r in ARCHETYPES if "SOL" in r.name), flat({"BTC": 1.0, "ETH": 1.0}))
