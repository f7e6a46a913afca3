"""Stress scenarios and the insurance fund, on books whose losses are known by hand."""

import pytest

from keeper.analysis.insurance import Participant, adequacy
from keeper.analysis.requirement_buffer import Buffer
from keeper.analysis.stress import SCENARIOS, StressScenario, stress, stressed
from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.pricing.svi import Svi

NOW, EXPIRY = 1_700_000_000, 1_702_592_000
MARKET = MarketState(
    NOW,
    {
        "BTC": Underlying("BTC", 100.0, 100.0, {EXPIRY: Expiry(EXPIRY, 110.0, vols=((110.0, 0.5),))}),
        "ETH": Underlying(
            "ETH", 10.0, 10.0, {EXPIRY: Expiry(EXPIRY, 10.0, smile=Svi(0.02, 0.1, 0.0, 0.0, 0.2))}
        ),
    },
)
LONG = Portfolio((Position("BTC", Kind.PERP, 1.0, entry=100.0),), name="long")
SHORT = Portfolio((Position("ETH", Kind.PERP, -20.0, entry=10.0),), name="short")


def test_adequacy__two_largest__named_and_summed() -> None:
    people = [Participant("a", 10.0, -30.0), Participant("b", 5.0, -4.0), Participant("c", 1.0, -51.0)]
    found = adequacy(people, 60.0)
    assert (found.cover_one, found.cover_two, found.everyone) == (50.0, 70.0, 70.0)
    assert found.names == ("c", "a")
    assert (found.covers_one, found.covers_two) == (True, False)


def test_adequacy__everybody_covered__nothing_needed() -> None:
    found = adequacy([Participant("a", 10.0, -9.0)], 0.0)
    assert (found.cover_two, found.names, found.covers_two) == (0.0, (), True)


def test_stressed__spot_and_vols__moved_in_proportion() -> None:
    after = stressed(MARKET, StressScenario("x", 0.5, 2.0, {"ETH": 3.0}))
    btc, eth = after.underlying("BTC"), after.underlying("ETH")
    assert (btc.spot, btc.perp, btc.expiry(EXPIRY).forward) == (50.0, 50.0, 55.0)
    assert btc.expiry(EXPIRY).vol(110.0, 0.1) == 1.0
    assert eth.spot == 30.0
    years = 30 / 365
    before = MARKET.underlying("ETH").expiry(EXPIRY).vol(10.0, years)
    assert eth.expiry(EXPIRY).vol(30.0, years) == pytest.approx(2.0 * before)


def test_stress__halved_spot__uncovered_beyond_initial() -> None:
    buffers = [Buffer(initial=20.0, maintenance=16.0), Buffer(initial=30.0, maintenance=24.0)]
    found = stress("m", [LONG, SHORT], buffers, MARKET, StressScenario("half", 0.5, 1.0), 25.0)
    assert found.profits == pytest.approx((-50.0, 100.0))
    assert (found.beyond_maintenance, found.beyond_initial, found.uncovered) == (1, 1, 30.0)
    assert (found.adequacy.cover_one, found.adequacy.covers_one) == (30.0, False)


def test_stress__book_that_the_model_cannot_hold__left_out() -> None:
    found = stress("m", [LONG, SHORT], [None, Buffer(1.0, 1.0)], MARKET, SCENARIOS[0], 0.0)
    assert len(found.profits) == 1


def test_scenarios__methodology__all_there() -> None:
    names = " ".join(s.name for s in SCENARIOS)
    for part in ("-50 %, vol +150 %", "+100 %, vol +80 %", "-10 %", "two hours", "correlation break"):
        assert part in names
