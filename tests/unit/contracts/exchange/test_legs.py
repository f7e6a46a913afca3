"""`order.vy` and its twin agree on what two orders trade, or on why they do not."""

import boa
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.exchange.order import Leg, fee_of, fills_of, is_reduction, mirrored
from keeper.units.constants import MAX_ORDER_LEGS, WAD

QUANTITIES = st.integers(-(2**90), 2**90)
PRICES = st.integers(0, 2**90)


@st.composite
def matches(draw):
    """Legs, units, price, prices: often right, sometimes wrong in one place."""
    codes = draw(st.lists(st.integers(0, 5), min_size=0, max_size=MAX_ORDER_LEGS))
    codes = sorted(set(codes)) if draw(st.booleans()) else codes
    # multiples of 1e-8, as every lot and tick is: their products are exact more often than not
    legs = tuple(Leg(code, draw(QUANTITIES) * 10**10) for code in codes)
    prices = [draw(PRICES) * 10**10 for _ in codes]
    exact, rest = divmod(sum(leg.quantity * one for leg, one in zip(legs, prices, strict=True)), WAD)
    if draw(st.integers(0, 9)) == 0:
        prices = [*prices, 0][:MAX_ORDER_LEGS]
    price = exact + draw(st.sampled_from([0, 0, 0, 1, -1])) + (rest != 0)
    return legs, draw(st.integers(1, 2**64)), price, prices


def test_fills_of__any_order__equals_twin_or_same_reason(order):
    seen = set()

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(matches())
    def check(match):
        legs, *rest = match
        values = [leg.values() for leg in legs]
        try:
            expected = [(f.instrument, f.quantity, f.price, 0, 0) for f in fills_of(*match)]
        except ValueError as error:
            seen.add(str(error))
            with boa.reverts(str(error)):
                order._fills_of(values, *rest)
            return
        seen.add("fills")
        assert order._fills_of(values, *rest) == expected

    check()
    assert {
        "fills",
        "exchange: no legs",
        "exchange: legs not ascending",
        "exchange: prices do not add up",
    } <= seen


def test_fee_of__any_leg__equals_twin(order):
    @settings(max_examples=60, deadline=None)
    @given(st.integers(-WAD // 100, WAD // 100), st.integers(0, 2**96), st.integers(0, 2**56 - 1))
    def check(rate, quantity, spot8):
        assert order._fee_of(rate, quantity, spot8 * 10**10) == fee_of(rate, quantity, spot8 * 10**10)

    check()


def test_mirrored__any_legs__equals_twin(order):
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.builds(Leg, st.integers(0, 2**128 - 1), QUANTITIES), max_size=MAX_ORDER_LEGS))
    def check(legs):
        expected = [leg.values() for leg in mirrored(legs)]
        assert order._mirrored([leg.values() for leg in legs]) == expected

    check()


def test_is_reduction__any_change__equals_twin(order):
    small = st.integers(-3, 3)

    @settings(max_examples=100, deadline=None)
    @given(small, small)
    def check(held, change):
        assert order._is_reduction(held, change) == is_reduction(held, change)

    check()
