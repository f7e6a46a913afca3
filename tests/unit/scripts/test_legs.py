"""Packages: the unit that is signed, and leg prices that make up the price of a unit exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.exchange.order import Leg, fills_of, mirrored
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD
from scripts._legs import leg_prices, package_of

CENT = WAD // 100
LOT = WAD // 1000
EXPIRY = 1_745_568_000
PERP = Instrument(1, 0, 0, Kind.PERP).pack()
LOW, MIDDLE, HIGH = (Instrument(1, EXPIRY, k * 10**8, Kind.PUT).pack() for k in (1_500, 1_600, 1_700))
TICKS = dict.fromkeys((PERP, LOW, MIDDLE, HIGH), CENT)
LOTS = dict.fromkeys(TICKS, LOT)
MARKS = {PERP: 1_800 * WAD + 7, LOW: 11 * WAD + 3, MIDDLE: 30 * WAD - 4, HIGH: 62 * WAD}


def spread_price(legs, prices):
    paid = sum(leg.quantity * price for leg, price in zip(legs, prices, strict=True))
    assert paid % WAD == 0
    return paid // WAD


# One unit


def test_package_of__put_spread__unit_is_the_lot():
    package = package_of({MIDDLE: WAD, LOW: -WAD}, LOTS, 20 * WAD)

    assert package.legs == (Leg(LOW, -LOT), Leg(MIDDLE, LOT))
    assert (package.units, package.limit) == (1_000, 20 * WAD // 1_000)


def test_package_of__ratio__unit_keeps_it():
    package = package_of({LOW: -2 * LOT, HIGH: 3 * LOT}, LOTS, -CENT)

    assert package.legs == (Leg(LOW, -2 * LOT), Leg(HIGH, 3 * LOT))
    assert (package.units, package.limit) == (1, -CENT)


@pytest.mark.parametrize(("limit", "per_unit"), [(20, 6), (-20, -7), (0, 0)])
def test_package_of__limit_not_a_multiple__rounds_for_the_signer(limit, per_unit):
    assert package_of({LOW: 3 * LOT}, LOTS, limit).limit == per_unit


@pytest.mark.parametrize("quantities", [{}, {LOW: 0}, {LOW: LOT // 2}, dict.fromkeys(range(1, 6), LOT)])
def test_package_of__no_package__raises(quantities):
    with pytest.raises(ValueError, match="legs|lot"):
        package_of(quantities, {**LOTS, **dict.fromkeys(range(1, 6), LOT)}, WAD)


def test_package_of__two_sides_with_their_own_limits__mirror():
    buy = package_of({LOW: -3 * LOT, HIGH: 3 * LOT}, LOTS, 20 * WAD)
    sell = package_of({LOW: 3 * LOT, HIGH: -3 * LOT}, LOTS, -7 * WAD)

    assert sell.legs == mirrored(buy.legs)


# Prices of the legs


@pytest.mark.parametrize("quantity", [LOT, -LOT])
def test_leg_prices__one_leg__follows_from_the_price(quantity):
    assert leg_prices([Leg(LOW, quantity)], quantity * 45, {}, TICKS) == (45 * WAD,)


def test_leg_prices__package_at_its_marks__are_the_marks():
    legs = [Leg(LOW, -LOT), Leg(HIGH, LOT)]
    assert leg_prices(legs, 51 * LOT, MARKS, TICKS) == (11 * WAD, 62 * WAD)


def test_leg_prices__package_off_its_marks__last_option_takes_the_rest():
    legs = [Leg(PERP, LOT), Leg(LOW, -LOT), Leg(MIDDLE, LOT)]
    assert leg_prices(legs, 1_820 * LOT, MARKS, TICKS) == (1_800 * WAD, 11 * WAD, 31 * WAD)


def test_leg_prices__rest_would_be_negative__another_leg_takes_it():
    legs = [Leg(LOW, -LOT), Leg(MIDDLE, LOT)]
    assert leg_prices(legs, -15 * LOT, MARKS, TICKS) == (45 * WAD, 30 * WAD)


def test_leg_prices__ratio_leaves_half_a_tick__another_leg_moves_by_one():
    legs = [Leg(LOW, -LOT), Leg(MIDDLE, 2 * LOT)]
    price = spread_price(legs, (11 * WAD + CENT, 30 * WAD))
    found = leg_prices(legs, price, MARKS, TICKS)

    assert spread_price(legs, found) == price
    assert found in {(11 * WAD + CENT, 30 * WAD), (11 * WAD - CENT, 30 * WAD - CENT)}


@pytest.mark.parametrize("price", [51 * LOT + 1, 51 * LOT + LOT * 10**10 // WAD])
def test_leg_prices__price_off_every_tick__raises(price):
    with pytest.raises(ValueError, match="make up the price"):
        leg_prices([Leg(LOW, -LOT), Leg(HIGH, LOT)], price, MARKS, TICKS)


def test_leg_prices__bought_legs_for_a_credit__raises():
    with pytest.raises(ValueError, match="make up the price"):
        leg_prices([Leg(LOW, LOT), Leg(HIGH, LOT)], -LOT, MARKS, TICKS)


@given(
    st.lists(st.sampled_from(sorted(TICKS)), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(-5, 5).filter(bool), min_size=4, max_size=4),
    st.lists(st.integers(0, 10**5), min_size=4, max_size=4),
)
def test_leg_prices__any_answer__the_exchange_accepts(instruments, ratios, cents):
    legs = [Leg(i, LOT * ratio) for i, ratio in zip(sorted(instruments), ratios, strict=False)]
    price = spread_price(legs, [CENT * cent for cent in cents[: len(legs)]])
    try:
        prices = leg_prices(legs, price, MARKS, TICKS)
    except ValueError:
        assert len(legs) > 1  # of one leg the price itself is an answer
        return
    assert fills_of(legs, 1, price, prices)
    assert all(one % CENT == 0 for one in prices)
