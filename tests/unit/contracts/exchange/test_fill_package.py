"""Orders of several legs: a put spread, a condor, and legs on two underlyings."""

from dataclasses import replace

import boa
import pytest

from keeper.exchange.order import Fill, Leg, fee_of, mirrored, nonce_of
from keeper.markets.instrument import Kind
from keeper.units.constants import MAX_ORDER_LEGS, PRICE_UNIT, WAD

from .conftest import LEG, MAKER, MAKER_RATE, OTHER_SPOT8, SPOT8, TAKER, TAKER_RATE, option

LOW, HIGH = option(1_600, Kind.PUT), option(1_700, Kind.PUT)
SPREAD = (Leg(LOW, LEG), Leg(HIGH, -LEG))  # bought low, sold high: a credit
PRICES = [20 * WAD, 50 * WAD]
CREDIT = -3 * WAD  # a tenth of the difference
CONDOR = (*SPREAD, Leg(option(1_900), -LEG), Leg(option(2_000), LEG))
CONDOR_PRICES = [*PRICES, 60 * WAD, 25 * WAD]


@pytest.fixture
def spread(pair):
    return pair.package(SPREAD, CREDIT)


def fill(package, units=1, price=CREDIT, prices=PRICES, **changes):
    package.fill(units=units, price=price, prices=prices, **changes)


def fees(rate, legs, units, *spots8):
    return sum(
        fee_of(rate, abs(leg.quantity) * units, spot8 * PRICE_UNIT)
        for leg, spot8 in zip(legs, spots8, strict=True)
    )


def test_fill__credit_spread__pays_the_maker_and_logs_both_legs(spread):
    fill(spread, units=3, nonce=4)

    quantities = [3 * LEG, -3 * LEG]
    maker_fee, taker_fee = (fees(rate, SPREAD, 3, SPOT8, SPOT8) for rate in (MAKER_RATE, TAKER_RATE))
    hashes = spread.maker.struct_hash(), spread.taker.struct_hash()
    fills = list(zip([LOW, HIGH], quantities, PRICES, strict=True))
    last = spread.venue.last()
    assert [tuple(fill)[:3] for fill in last.fills] == fills
    assert (last.maker, last.taker, last.makerFee, last.takerFee) == (MAKER, TAKER, maker_fee, taker_fee)
    assert last.action == Fill(*hashes, 3, CREDIT, 4).struct_hash()
    (event,) = spread.exchange.get_logs()
    assert (event.units, event.price, event.fillNonce) == (3, CREDIT, 4)
    assert (event.makerHash, event.takerHash) == hashes
    assert (event.makerFee, event.takerFee) == (maker_fee, taker_fee)


def test_fill__condor__four_legs_trade(pair):
    price = sum(leg.quantity * one for leg, one in zip(CONDOR, CONDOR_PRICES, strict=True)) // WAD
    fill(pair.package(CONDOR, price), price=price, prices=CONDOR_PRICES)

    found = pair.venue.last().fills
    assert [(f.instrument, f.quantity) for f in found] == [(leg.instrument, leg.quantity) for leg in CONDOR]
    assert [f.price for f in found] == CONDOR_PRICES


def test_fill__five_legs__do_not_decode(pair):
    legs = (*CONDOR, Leg(option(2_100), LEG))
    five = pair.package(legs, 0)
    assert len(legs) == MAX_ORDER_LEGS + 1
    with pytest.raises(boa.BoaError):
        fill(five, price=0, prices=[0] * 5)
    assert pair.venue.trades() == 0


def test_fill__other_split_of_the_same_price__accepted(spread):
    fill(spread, prices=[0, 30 * WAD])

    assert [one.price for one in spread.venue.last().fills] == [0, 30 * WAD]


@pytest.mark.parametrize(
    "prices", [[20 * WAD, 50 * WAD + 1], [20 * WAD + 10, 50 * WAD], [50 * WAD, 20 * WAD], [0, 0]]
)
def test_fill__prices_do_not_add_up__reverts(spread, prices):
    with boa.reverts("exchange: prices do not add up"):
        fill(spread, prices=prices)


def test_fill__quotient_would_round_to_the_price__reverts(pair):
    """One atom of each leg: 1.5 atoms of cash are neither 1 nor 2."""
    legs = (Leg(LOW, 1), Leg(HIGH, 1))
    for price in (1, 2):
        with boa.reverts("exchange: prices do not add up"):
            fill(pair.package(legs, price), price=price, prices=[WAD, WAD // 2])


@pytest.mark.parametrize("price", [CREDIT + 1, CREDIT - 1, 0, -CREDIT])
def test_fill__beyond_the_package_limit__reverts(spread, price):
    with boa.reverts("exchange: price beyond limit"):
        fill(spread, price=price)


def test_fill__inside_both_limits__at_any_price_between(spread):
    keen = replace(spread, taker=replace(spread.taker, limit=-CREDIT + WAD))
    fill(keen, price=CREDIT - WAD, prices=[20 * WAD, 60 * WAD])

    assert spread.venue.trades() == 1


@pytest.mark.parametrize(
    ("legs", "mirror", "reason"),
    [
        (SPREAD, mirrored(SPREAD)[::-1], "clearing: signer may not trade"),
        (SPREAD, mirrored(SPREAD)[:1], "clearing: signer may not trade"),
        (SPREAD[:1], mirrored(SPREAD), "exchange: prices do not add up"),
        (SPREAD, SPREAD, "clearing: signer may not trade"),
        (SPREAD, (mirrored(SPREAD)[0], SPREAD[1]), "clearing: signer may not trade"),
        (SPREAD, (mirrored(SPREAD)[0], Leg(HIGH, LEG + 1)), "clearing: signer may not trade"),
        (SPREAD, (mirrored(SPREAD)[0], Leg(HIGH + 1, LEG)), "clearing: signer may not trade"),
        (SPREAD[::-1], mirrored(SPREAD[::-1]), "exchange: legs not ascending"),
        ((SPREAD[0], SPREAD[0]), mirrored((SPREAD[0], SPREAD[0])), "exchange: legs not ascending"),
        ((Leg(LOW, LEG), Leg(HIGH, 0)), (Leg(LOW, -LEG), Leg(HIGH, 0)), "exchange: empty leg"),
    ],
)
def test_fill__legs_that_do_not_match__reverts(spread, legs, mirror, reason):
    with boa.reverts(reason):
        fill(spread, maker={"legs": legs}, taker={"legs": mirror}, prices=PRICES[: len(legs)])


@pytest.mark.parametrize("index", [0, 1])
def test_fill__one_leg_not_tradable__reverts(spread, index):
    leg = SPREAD[index]
    spread.venue.refuse(leg.instrument, 2 * leg.quantity, PRICES[index])
    with boa.reverts("markets: not tradable"):
        fill(spread, units=2)


def test_fill__two_underlyings__each_leg_pays_on_its_own_spot(pair):
    legs = (Leg(LOW, LEG), Leg(HIGH, LEG), Leg(option(90_000, underlying=2), 2 * LEG))
    prices = [10 * WAD, 20 * WAD, 30 * WAD]
    fill(pair.package(legs, 9 * WAD), units=2, price=9 * WAD, prices=prices)

    last = pair.venue.last()
    assert last.makerFee == fees(MAKER_RATE, legs, 2, SPOT8, SPOT8, OTHER_SPOT8)
    assert last.takerFee == fees(TAKER_RATE, legs, 2, SPOT8, SPOT8, OTHER_SPOT8)


def test_fill__several_odd_notionals__every_leg_rounds_up(pair):
    dust = 10**10
    legs = tuple(Leg(option(strike), dust) for strike in (2_000, 2_100, 2_200))
    pair.exchange.set_fees(1, 1)
    fill(pair.package(legs, 0), price=0, prices=[0, 0, 0])

    assert pair.venue.last().makerFee == pair.venue.last().takerFee == 3


def test_fill__fee_limit__covers_all_legs(spread):
    fee = fees(MAKER_RATE, SPREAD, spread.maker.units, SPOT8, SPOT8)
    with boa.reverts("exchange: fee above limit"):
        fill(spread, units=2, maker={"max_fee": fee - 1})
    fill(spread, units=2, maker={"max_fee": fee})


def test_fill__partial_fills__share_the_units(spread):
    fill(spread, units=3)
    fill(spread, units=1, nonce=1)

    assert spread.exchange.filled(TAKER, spread.taker.nonce) == 4
    with boa.reverts("exchange: units beyond order"):
        fill(spread, nonce=2)


def test_fill__cancelled_package__reverts(spread):
    spread.exchange.cancel(MAKER, [spread.maker.nonce], sender=spread.venue.account(MAKER).owner)
    with boa.reverts("exchange: order dead"):
        fill(spread)
    fill(spread, maker={"nonce": nonce_of(3, 6)})


def test_fill__signature_over_the_first_leg_only__reverts(spread):
    """A signer of one leg has not signed the package."""
    whole = spread.sign
    spread.sign = lambda order, role: whole(replace(order, legs=order.legs[:1]), role)
    with boa.reverts("clearing: signer may not trade"):
        fill(spread)
