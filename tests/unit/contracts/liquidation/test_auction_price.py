"""The chain's auction prices and their twin, bit for bit; what a bid does to equity, margin and deficit."""

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keeper.liquidation import auction_price as twin
from keeper.units.constants import WAD
from keeper.units.fixed_point import mul_down, mul_up, signed_mul_up

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=2_000, deadline=None)
CASH = 10**12 * WAD
VALUE = st.integers(-CASH, CASH)
MARGIN = st.integers(0, CASH)
POSITIVE = st.integers(1, CASH)
SHARE = st.integers(0, WAD)
DISCOUNT = st.integers(WAD // 2, WAD)
SECONDS = st.integers(0, 10**6)
DUST = 100 * WAD


@pytest.fixture(scope="module")
def chain():
    return boa.load("contracts/mocks/AuctionPriceHarness.vy")


def test_lines__any__as_the_twin(chain):
    @FAST
    @given(SHARE, SHARE, SECONDS, st.integers(1, 10**6))
    def check(a, b, elapsed, duration):
        start, end = max(a, b), min(a, b)
        falling = chain.falling(start, end, elapsed, duration)
        assert falling == twin.falling(start, end, elapsed, duration)
        assert end <= falling <= start
        rising = chain.rising(start, elapsed, duration)
        assert rising == twin.rising(start, elapsed, duration)
        assert rising <= start

    check()


def test_fraction_and_cost__any_auction__as_the_twin(chain):
    @FAST
    @given(VALUE, VALUE, MARGIN, DISCOUNT, SHARE, SHARE)
    @example(0, 1, 0, WAD, 0, WAD)
    @example(1, 1, 0, WAD, 0, WAD)
    @example(DUST, 1, 0, WAD, 0, WAD)
    @example(10**6 * WAD, 1, 0, WAD, 0, 0)
    @example(-1, WAD, WAD, WAD, WAD // 2, 1)
    def check(worth, deficit, maintenance, discounted, bonus, wanted):
        price = chain.asked(worth, maintenance, discounted, bonus)
        assert price == twin.asked(worth, maintenance, discounted, bonus)
        most = chain.largest(worth, deficit, price, DUST)
        assert most == twin.largest(worth, deficit, price, DUST)
        taken = chain.taken(wanted, most, WAD // 10)
        assert taken == twin.taken(wanted, most, WAD // 10)
        assert tuple(chain.cost(taken, price)) == twin.cost(taken, price)

    check()


def test_rest__any_sale__as_the_twin(chain):
    @FAST
    @given(MARGIN, VALUE, VALUE, SHARE)
    def check(margin, mark, worth, fraction):
        assert tuple(chain.rest(margin, mark, worth, fraction)) == (
            twin.rest_up(margin, fraction),
            twin.signed_rest_down(mark, fraction),
            twin.rest_of_deficit(worth, fraction),
        )

    check()


@MANY
@given(POSITIVE, POSITIVE, VALUE, DISCOUNT)
def test_largest_fraction__no_dust__restores_initial_margin_and_sells_no_more(
    worth, deficit, equity, discounted
):
    price = twin.asked(worth, 0, discounted, 0)
    fraction = twin.largest(worth, deficit, price, 0)
    assert 0 < fraction <= WAD

    def left(sold):
        paid, _ = twin.cost(sold, price)
        return twin.signed_rest_down(equity, sold) + paid - signed_mul_up(equity + deficit, WAD - sold)

    assert left(fraction) >= -2  # one wei for either margin and equity
    least_short = fraction - 2 - 4 * WAD // (deficit + price)
    if least_short > 0:
        assert left(least_short) < 0


@MANY
@given(POSITIVE, st.integers(1, 10**9 * WAD), DISCOUNT)
def test_largest_fraction__rest_below_dust__everything(worth, deficit, discounted):
    price = twin.asked(worth, 0, discounted, 0)
    fraction = twin.largest(worth, deficit, price, DUST)
    assert fraction == WAD or mul_down(worth, WAD - fraction) >= DUST
    if worth < DUST:
        assert fraction == WAD


@MANY
@given(POSITIVE, DISCOUNT, SHARE, st.integers(0, CASH))
def test_cost__accepted_price__at_most_the_limit_and_between_the_floor_and_fair(
    worth, discounted, fraction, slack
):
    price = twin.asked(worth, 0, discounted, 0)
    limit = price + slack
    paid, payout = twin.cost(fraction, price)
    assert payout == 0
    assert paid <= mul_up(limit, fraction)
    assert paid <= mul_up(worth, fraction)
    assert paid >= mul_down(mul_down(worth, discounted), fraction)


@MANY
@given(st.integers(WAD, CASH), st.integers(WAD, CASH), DISCOUNT, st.integers(WAD // 1_000, WAD - 1))
def test_bid__solvent__raises_equity_over_maintenance(worth, maintenance, discounted, fraction):
    paid, _ = twin.cost(fraction, twin.asked(worth, 0, discounted, 0))
    after = worth - signed_mul_up(worth, fraction) + paid
    margin = mul_up(maintenance, WAD - fraction)
    assert after * maintenance > worth * (margin - 1)  # one wei: the margin left is rounded up
    assert after >= worth - mul_up(worth, fraction)


@MANY
@given(st.integers(-CASH, 0), MARGIN, SHARE, SHARE)
def test_bid__insolvent__lowers_the_deficit_and_pays_no_more_than_it_and_the_bonus(
    worth, maintenance, bonus, fraction
):
    price = twin.asked(worth, maintenance, WAD, bonus)
    paid, payout = twin.cost(fraction, price)
    assert paid == 0
    assert payout <= mul_down(-worth + mul_down(maintenance, bonus), fraction)
    rest = twin.rest_of_deficit(worth, fraction)
    assert rest <= -worth
    assert rest < -worth or mul_down(-worth, fraction) == 0
    assert -worth - rest <= mul_down(-worth, fraction)


@MANY
@given(SHARE, SHARE, st.integers(0, WAD))
def test_taken__any__between_the_least_and_the_largest(wanted, most, minimum):
    fraction = twin.taken(wanted, most, minimum)
    assert fraction == 0 or mul_up(most, minimum) <= fraction <= min(most, wanted)
    assert twin.taken(WAD, most, minimum) == most


def test_signed_rest__half_of_an_odd_loss__rounds_down():
    assert twin.signed_rest_down(-1, WAD // 2) == -1
