"""Price bands, position limits, caps of open interest and rebates."""

import boa
import pytest

from tests.support.clearing import CALL, PERP, WAD, Deal
from tests.support.house import events

UNITS = 10**8  # limits are 1e-8 units
NONE = 2**64 - 1


def limits(position=NONE, instrument=NONE, underlying=NONE):
    """IClearinghouse.Fill.limits."""
    return position << 128 | instrument << 64 | underlying


def buy(pair, quantity, limit, instrument=CALL, counted=True):
    """The maker trades with the taker, both by report."""
    deal = Deal(instrument, quantity, 100 * WAD, counted=counted, limits=limit)
    pair.house.hold(pair.maker, pair.taker, deal)


# Price bands


@pytest.mark.parametrize("price", [95 * WAD, 105 * WAD])
def test_trade__price_at_its_band__passes(pair, price):
    pair.house.hold(pair.maker, pair.taker, Deal(CALL, WAD, price, band=5 * WAD))


@pytest.mark.parametrize("price", [95 * WAD - 10**10, 105 * WAD + 10**10])
def test_trade__price_beyond_its_band__reverts(pair, price):
    with boa.reverts("clearing: price outside its band"):
        pair.house.hold(pair.maker, pair.taker, Deal(CALL, WAD, price, band=5 * WAD))


# Position limits


def test_trade__position_at_its_limit__passes_and_not_a_unit_more(pair):
    buy(pair, 2 * WAD, limits(position=2 * UNITS))

    with boa.reverts("positions: above the position limit"):
        buy(pair, 10**10, limits(position=2 * UNITS))


def test_trade__position_beyond_a_lowered_limit__only_shrinks(pair):
    buy(pair, 3 * WAD, limits())

    with boa.reverts("positions: above the position limit"):
        buy(pair, WAD, limits(position=0))
    buy(pair, -WAD, limits(position=0))
    with boa.reverts("positions: above the position limit"):
        buy(pair, -5 * WAD, limits(position=0))  # from 2 long to 3 short
    buy(pair, -2 * WAD, limits(position=0))
    assert pair.house.book(pair.maker) == []


# Open interest


def test_trade__open_interest__is_the_sum_of_longs(pair):
    house, other = pair.house, pair.house.open("other", 1_000_000)

    buy(pair, 3 * WAD, limits())
    assert house.clearing.open_interest(CALL) == house.clearing.open_interest(1) == 3 * WAD
    house.hold(pair.maker, other, Deal(CALL, -2 * WAD))  # passes its longs on
    assert house.clearing.open_interest(CALL) == 3 * WAD
    house.hold(other, pair.taker, Deal(CALL, -2 * WAD))  # both close
    assert house.clearing.open_interest(CALL) == WAD
    buy(pair, -4 * WAD, limits())  # both turn round
    assert house.clearing.open_interest(CALL) == 3 * WAD
    buy(pair, WAD, limits(), PERP, counted=False)
    assert (house.clearing.open_interest(PERP), house.clearing.open_interest(1)) == (WAD, 4 * WAD)


@pytest.mark.parametrize("cap", ["instrument", "underlying"])
def test_trade__open_interest_at_its_cap__passes_and_not_a_unit_more(pair, cap):
    buy(pair, 2 * WAD, limits(**{cap: 2 * UNITS}))

    with boa.reverts("positions: above the open interest cap"):
        buy(pair, 10**10, limits(**{cap: 2 * UNITS}))


@pytest.mark.parametrize("cap", ["instrument", "underlying"])
def test_trade__open_interest_beyond_a_lowered_cap__only_falls(pair, cap):
    house, closed = pair.house, limits(**{cap: 0})
    buy(pair, 3 * WAD, limits())

    with boa.reverts("positions: above the open interest cap"):
        buy(pair, WAD, closed)
    other = house.open("other", 1_000_000)
    house.hold(pair.maker, other, Deal(CALL, -WAD, limits=closed))  # moves from long to long
    buy(pair, -2 * WAD, closed)
    assert house.clearing.open_interest(CALL) == WAD


# Rebates


def test_trade__rebate__is_paid_out_of_the_other_fee(pair):
    house = pair.house
    cash = house.state(pair.maker).cash

    house.hold(pair.maker, pair.taker, Deal(CALL, WAD, 100 * WAD, (-WAD, 3 * WAD)))

    assert [event.fee for event in events(house.clearing, "PositionChanged")] == [-WAD, 3 * WAD]
    assert house.state(pair.maker).cash == cash - 99 * WAD
    assert house.clearing.totals().fees == 2 * WAD


def test_trade__rebate_above_the_fees__reverts(pair):
    house, deal = pair.house, Deal(CALL, WAD, 100 * WAD, (-WAD, WAD - 1))

    with boa.reverts("clearing: rebate above the fees"):
        house.hold(pair.maker, pair.taker, deal)


# Signers


@pytest.mark.parametrize("scopes", [1, 6])
def test_trade__operator__needs_the_scope(pair, scopes):
    house, operator = pair.house, boa.env.generate_address()
    owner = house.owners[pair.maker]
    house.clearing.set_operator(pair.maker, operator, scopes, 2**40 - 1, sender=owner)
    deal = Deal(CALL)
    sides = house.easy(pair.maker, deal, taker=False), house.easy(pair.taker, deal)
    values = deal.values(pair.maker, pair.taker, house.owners | {pair.maker: operator})
    arguments = (*(side.evidence() for side in sides), house.statement(*sides, instrument=CALL))

    if scopes & 1:
        assert (
            house.clearing.trade(values, *arguments, sender=house.contracts.module)
            == house.clearing.totals().seq
        )
    else:
        with boa.reverts("clearing: signer may not trade"):
            house.clearing.trade(values, *arguments, sender=house.contracts.module)
