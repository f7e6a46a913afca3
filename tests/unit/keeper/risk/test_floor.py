"""The chain's floor: by hand, and never above the maintenance margin."""

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.pricing.market import Market
from keeper.risk.floor import maintenance_floor
from keeper.risk.margin import account_margin
from keeper.risk.table import build_table
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import market_of
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, option, perp
from tests.support.round_methodology import round_methodology

METHODOLOGY = round_methodology()
QUANTUM = METHODOLOGY.quantum_e8 * 10**10
NOW = 1_743_850_000
TENORS = (40, 86_400, 30 * 86_400)


def recorded_market() -> Market:
    observed = RecordedSource("binance").observe(NOW, {u: [NOW + t for t in TENORS] for u in (1, 2, 3)})
    covered = {(u, NOW + 40): (2 * observed.spots[u] * 1_700, 1_700) for u in (1, 2, 3)}
    return market_of(observed, observed.spots, covered)


def universe(market: Market) -> list[int]:
    found = [Instrument(u.underlying, 0, 0, Kind.PERP) for u in market.underlyings]
    for u in market.underlyings:
        for e in u.expiries:
            found.append(Instrument(u.underlying, e.expiry, 0, Kind.FUTURE))
            strikes = [u.effective * p // 100 for p in (40, 70, 90, 95, 100, 105, 110, 150, 250)]
            found += [
                Instrument(u.underlying, e.expiry, s, k) for s in strikes for k in (Kind.CALL, Kind.PUT)
            ]
    return sorted(i.pack() for i in found)


MARKET = recorded_market()
UNIVERSE = universe(MARKET)
TABLE = build_table(MARKET, METHODOLOGY, UNIVERSE)
books = st.dictionaries(
    st.sampled_from(UNIVERSE), st.integers(-10_000, 10_000).filter(bool), min_size=1, max_size=25
).map(lambda book: [Leg(i, q * 10**15) for i, q in sorted(book.items())])
# few strikes of one expiry: butterflies and boxes, where the envelope is tight
narrow = st.dictionaries(
    st.sampled_from([i for i in UNIVERSE if Instrument.unpack(i).expiry == NOW + 86_400]),
    st.integers(-3, 3).filter(bool),
    min_size=1,
    max_size=6,
).map(lambda book: [Leg(i, q * WAD) for i, q in sorted(book.items())])


def test_maintenance_floor__perp__four_fifths_of_the_range() -> None:
    table = build_table(flat_market(), METHODOLOGY, [])
    assert maintenance_floor([Leg(perp(2), WAD)], table) == 8 * 360 * WAD // 10


def test_maintenance_floor__long_call__nothing_it_could_keep() -> None:
    call = option(2, 30, 1_000, Kind.CALL)
    table = build_table(flat_market(), METHODOLOGY, [call])
    mark = table.marks[call] * 10**10
    # the concave envelope of a call is the forward itself: 1640 at the lower end is above the mark of 1000
    assert mark < 1_640 * WAD
    assert maintenance_floor([Leg(call, WAD)], table) == 0


def test_maintenance_floor__short_call__its_payoff_at_the_upper_end() -> None:
    call = option(2, 30, 1_000, Kind.CALL)
    table = build_table(flat_market(), METHODOLOGY, [call])
    # the concave envelope of a short call is its payoff: at 2360 it pays 1360
    assert maintenance_floor([Leg(call, -WAD)], table) == (1_360 * WAD - table.marks[call] * 10**10) * 8 // 10


@settings(max_examples=150, deadline=None)
@given(st.one_of(books, narrow), st.integers(0, 3))
def test_maintenance_floor__any_book__never_above_maintenance(legs: list[Leg], tier: int) -> None:
    margin = account_margin(legs, TABLE, tier)
    assert maintenance_floor(legs, TABLE) <= margin.maintenance + 4 * QUANTUM * (len(legs) + 4)
