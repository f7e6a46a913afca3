"""`order.vy` and its twin agree on what two orders trade, or on why they do not."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.exchange.order import Leg, fee_of, fills_of, mirrored
from keeper.units.constants import MAX_ORDER_LEGS, WAD

QUANTITIES = st.integers(-(2**90), 2**90)
PRICES = st.integers(0, 2**90)

REASONS = [
    "no legs",
    "one price per leg",
    "legs do not mirror",
    "legs not ascending",
    "empty leg",
    "instruments differ",
    "prices do not add up",
]


@pytest.fixture(scope="module")
def order():
    return boa.load("contracts/exchange/order.vy").internal


@st.composite
def matches(draw):
    """Legs, their mirror, units, price, prices: often right, sometimes wrong in one place."""
    codes = draw(st.lists(st.integers(0, 5), min_size=0, max_size=MAX_ORDER_LEGS))
    codes = sorted(set(codes)) if draw(st.booleans()) else codes
    # multiples of 1e-8, as every lot and tick is: their products are exact more often than not
    legs = tuple(Leg(code, draw(QUANTITIES) * 10**10) for code in codes)
    prices = [draw(PRICES) * 10**10 for _ in codes]
    exact, rest = divmod(sum(leg.quantity * one for leg, one in zip(legs, prices, strict=True)), WAD)
    mirror = list(mirrored(legs))
    if mirror and draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(mirror) - 1))
        mirror[at] = Leg(draw(st.integers(0, 5)), draw(st.sampled_from([0, mirror[at].quantity])))
    if draw(st.integers(0, 9)) == 0:
        mirror, prices = mirror[:-1], [*prices, 0][:MAX_ORDER_LEGS]
    price = exact + draw(st.sampled_from([0, 0, 0, 1, -1])) + (rest != 0)
    return legs, tuple(mirror), draw(st.integers(1, 2**64)), price, prices


def test_fills_of__any_orders__equal_twin_or_same_reason(order):
    seen = set()

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(matches())
    def check(match):
        legs, mirror, units, price, prices = match
        values = [[leg.values() for leg in side] for side in (legs, mirror)]
        try:
            expected = [(f.instrument, f.quantity, f.price) for f in fills_of(*match)]
        except ValueError as error:
            seen.add(str(error))
            with boa.reverts(str(error)):
                order._fills_of(*values, units, price, prices)
            return
        seen.add("fills")
        assert order._fills_of(*values, units, price, prices) == expected

    check()
    assert {
        "fills",
        "exchange: no legs",
        "exchange: legs not ascending",
        "exchange: prices do not add up",
    } <= seen


def test_fee_of__any_leg__equals_twin(order):
    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, WAD // 100), st.integers(0, 2**96), st.integers(0, 2**56 - 1))
    def check(rate, quantity, spot8):
        assert order._fee_of(rate, quantity, spot8 * 10**10) == fee_of(rate, quantity, spot8 * 10**10)

    check()
