"""Expected shortfall: closed cases by hand, and the properties that headroom rests on."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.pricing import black76
from keeper.pricing.market import Market
from keeper.risk.book import book_of, with_spot
from keeper.risk.expected_shortfall import expected_shortfall, shortfall_of, tail, value_at_risk
from keeper.risk.margin import account_margin
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.table import build_table
from keeper.units.constants import WAD
from tests.support.flat_market import DAY, NOW, flat_market, future, option, perp

METHODOLOGY = Methodology.default()
SCENARIOS = METHODOLOGY.scenarios
CALL = option(2, 30, 2_000, Kind.CALL)
PUT = option(2, 1, 1_800, Kind.PUT)
INSTRUMENTS = [CALL, PUT, option(1, 120, 100_000, Kind.CALL), option(3, 30, 100, Kind.PUT), future(1, 30)]
TABLE = build_table(flat_market(), METHODOLOGY, INSTRUMENTS)
COUNT = len(SCENARIOS.labels)


def scaled_market(underlying: int, scale_ppm: int) -> Market:
    market = flat_market()
    changed = [
        replace(u, volatility_scale_ppm=scale_ppm) if u.underlying == underlying else u
        for u in market.underlyings
    ]
    return replace(market, underlyings=tuple(changed))


def test_expected_shortfall__whole_tail__average_of_the_worst() -> None:
    profits = np.array([*range(-100, 0), *range(300)], dtype=np.int64)
    # 2.5 % of 400: -100 .. -91
    assert expected_shortfall(profits, 25_000) == -(-(sum(range(91, 101))) // 10)


def test_expected_shortfall__fraction_of_a_scenario__next_one_counts_by_it() -> None:
    profits = np.array([-100, -40, -10, *[0] * 57], dtype=np.int64)
    # 2.5 % of 60 is 1.5: (100 + .5 * 40) / 1.5
    assert expected_shortfall(profits, 25_000) == 80
    assert tail(profits, 25_000) == ([0, 1], [PPM, PPM // 2])


def test_expected_shortfall__rounding__up() -> None:
    assert expected_shortfall(np.array([-1, *[0] * 119], dtype=np.int64), 25_000) == 1


def test_expected_shortfall__only_gains__zero() -> None:
    assert expected_shortfall(np.arange(1, 101, dtype=np.int64), 25_000) == 0


def test_value_at_risk__five_hundred_scenarios__the_fifth_worst() -> None:
    profits = np.random.default_rng(4).permutation(np.arange(-250, 250, dtype=np.int64))
    assert value_at_risk(profits, 10_000) == 246


def test_history__perp__moves_by_the_scaled_return() -> None:
    table = build_table(scaled_market(2, 2 * PPM), METHODOLOGY, [])
    row = table.history[table.unit(perp(2)).line]
    spot = SCENARIOS.moves["ETH"].spot
    for column in (0, 17, SCENARIOS.filtered - 1):
        assert row[column] == pytest.approx(2_000e6 * (exp(2 * spot[column] / PPM) - 1), rel=1e-9)
    for column in (SCENARIOS.filtered, COUNT - 1):
        assert row[column] == pytest.approx(2_000e6 * (exp(spot[column] / PPM) - 1), rel=1e-9)


def test_history__call__black_76_a_day_later_at_the_moved_vol() -> None:
    moves = SCENARIOS.moves["ETH"]
    row = TABLE.history[TABLE.unit(CALL).line]
    for column in (3, SCENARIOS.filtered + 21):
        vol = 0.6 * (1 + moves.level[column] / PPM)  # at the money, at the reference tenor
        after = black76.price(
            is_call=True,
            forward=2_000 * exp(moves.spot[column] / PPM),
            strike=2_000,
            years=29 / 365,
            vol=vol,
        )
        before = black76.price(is_call=True, forward=2_000, strike=2_000, years=30 / 365, vol=0.6)
        assert row[column] / 1e6 == pytest.approx(float(after - before), abs=1e-5)


def test_history__scale_beyond_the_limits__held_there() -> None:
    far, limit = (build_table(scaled_market(2, s), METHODOLOGY, []) for s in (9 * PPM, 2_500_000))
    assert np.array_equal(far.history, limit.history)


def test_history__unnamed_underlying__moves_of_the_proxy_stretched() -> None:
    market = flat_market()
    other = replace(market.underlyings[2], underlying=9)
    table = build_table(replace(market, underlyings=(*market.underlyings, other)), METHODOLOGY, [])
    row = table.history[table.unit(perp(9)).line]
    assert row[5] == pytest.approx(100e6 * (exp(1.6 * SCENARIOS.moves["SOL"].spot[5] / PPM) - 1), rel=1e-9)


def test_shortfall_of__perp__against_numpy() -> None:
    book = book_of([Leg(perp(2), WAD)], TABLE)
    losses = np.sort(2_000e6 * (1 - np.exp(np.array(SCENARIOS.moves["ETH"].spot) / PPM))[:500])[::-1]
    found = shortfall_of(book.history, METHODOLOGY)
    assert found.filtered == pytest.approx((losses[:12].sum() + 0.5 * losses[12]) / 12.5, abs=2)
    assert found.value_at_risk == pytest.approx(losses[4], abs=2)
    assert found.total == max(found.filtered, -(-found.stressed * 3 // 4))


def test_with_spot__coins_beside_a_book__same_history_as_a_perp() -> None:
    book = book_of([Leg(CALL, -WAD)], TABLE)
    as_legs = book_of([Leg(perp(2), 3 * WAD), Leg(CALL, -WAD)], TABLE)
    assert np.array_equal(with_spot(book, 2, 3 * WAD, TABLE).history, as_legs.history)


legs = st.dictionaries(
    st.sampled_from(sorted(TABLE.units)), st.integers(-10_000, 10_000).filter(bool), min_size=1
).map(lambda book: [Leg(i, q * 10**15) for i, q in sorted(book.items())])


@settings(max_examples=150, deadline=None)
@given(legs, legs)
def test_shortfall__any_two_books__subadditive_up_to_rounding(first: list[Leg], second: list[Leg]) -> None:
    one, two = (book_of(b, TABLE).history for b in (first, second))
    apart = [shortfall_of(x, METHODOLOGY).total for x in (one, two)]
    assert shortfall_of(one + two, METHODOLOGY).total <= sum(apart) + 3


def test_breakdown__hedged_book__contributions_add_up_and_days_are_named() -> None:
    held = [Leg(perp(1), WAD), Leg(perp(2), -60 * WAD), Leg(CALL, -20 * WAD)]
    detail = account_margin(held, TABLE).breakdown["shortfall"]
    total = int(detail["charge"])
    assert sum(int(x) for x in detail["legs"].values()) == pytest.approx(total, abs=4)
    assert sum(int(x) for x in detail["underlyings"].values()) == pytest.approx(total, abs=4)
    day = detail["value_at_risk_day"]
    assert sum(int(x) for x in day["legs"].values()) == -int(day["profit"]) == int(detail["value_at_risk"])
    worst = detail["worst_days"]
    assert [int(day["profit"]) for day in worst] == sorted(int(day["profit"]) for day in worst)
    assert worst[0]["scenario"].split()[1] in SCENARIOS.labels


def test_account_margin__hedge_that_history_breaks__the_shortfall_binds() -> None:
    held = [Leg(perp(1), WAD), Leg(perp(2), -40 * WAD)]
    calm = build_table(flat_market(), METHODOLOGY, [])
    wild = build_table(scaled_market(2, 2_500_000), METHODOLOGY, [])
    margins = [account_margin(held, table) for table in (calm, wild)]
    assert margins[1].breakdown["binding"] == "shortfall"
    assert margins[1].core > margins[0].core


def test_history__minutes_before_expiry__decays_to_the_payoff() -> None:
    market = flat_market(days=(600 / DAY,))
    short = Instrument(2, NOW + 600, 1_900 * 10**8, Kind.CALL).pack()
    table = build_table(market, METHODOLOGY, [short])
    ratio = exp(SCENARIOS.moves["ETH"].spot[0] / PPM)
    mark = table.marks[short] / 1e8
    assert table.history[table.unit(short).line][0] / 1e6 == pytest.approx(
        max(2_000 * ratio - 1_900, 0) - mark, abs=1e-5
    )
