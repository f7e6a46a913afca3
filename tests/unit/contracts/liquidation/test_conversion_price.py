"""Prices and amounts of conversions: the twin bit for bit, need met and not passed, equity never lower."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.liquidation import conversion as twin
from keeper.units.constants import BASIS_POINTS, PRICE_UNIT, WAD
from keeper.units.fixed_point import mul_down

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=2_000, deadline=None)
SPOT = st.integers(10**8, 10**13)
SHARE = st.integers(8 * WAD // 10, 12 * WAD // 10)
HAIRCUT = st.integers(0, BASIS_POINTS - 1)
AMOUNT = st.integers(1, 10**26)
SCALE = st.sampled_from([1, 10**10, 10**12])
RATE = st.integers(WAD // 100, WAD)


@pytest.fixture(scope="module")
def chain():
    return boa.load("contracts/mocks/ConversionHarness.vy")


def test_sale__any__as_the_twin(chain):
    @FAST
    @given(SPOT, SHARE, HAIRCUT, AMOUNT, AMOUNT, SCALE, AMOUNT, RATE)
    def check(spot, share, haircut, wanted, balance, scale, need, rate):
        price = twin.unit_price(spot, share, haircut)
        assert chain.unit_price(spot, share, haircut) == price
        arguments = (wanted, balance, scale, need, rate, price, 10**12)
        assert tuple(chain.sale(*arguments)) == twin.sale(*arguments)

    check()


@MANY
@given(SPOT, SHARE, HAIRCUT, AMOUNT, SCALE, AMOUNT, RATE)
def test_sale__whole_need__meets_it_and_not_with_a_unit_less(
    spot, share, haircut, need, scale, balance, rate
):
    price = twin.unit_price(spot, share, haircut)
    amount, cost, met = twin.sale(10**40, balance, scale, need, rate, price, 1)
    assert amount * scale <= balance
    credited = cost * WAD // rate
    if met:
        assert credited >= need
        assert mul_down((amount - 1) * scale, price) * WAD // rate < need + WAD // rate
    else:
        assert amount == balance // scale


@MANY
@given(SPOT, SHARE, HAIRCUT, AMOUNT, AMOUNT, SCALE, AMOUNT, RATE)
def test_sale__any__pays_at_least_what_the_tokens_counted(
    spot, share, haircut, wanted, balance, scale, need, rate
):
    price = twin.unit_price(spot, share, haircut)
    amount, cost, _ = twin.sale(wanted, balance, scale, need, rate, price, 10**12)
    counted = amount * scale * spot * PRICE_UNIT // WAD * (BASIS_POINTS - haircut) // BASIS_POINTS
    assert cost * 10**12 * WAD // rate >= counted
