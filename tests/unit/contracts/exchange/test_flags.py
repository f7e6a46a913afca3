"""What orders restrict themselves to: flags and matchers."""

import boa
import pytest

from keeper.exchange.order import Flag, Leg, nonce_of
from keeper.units.constants import WAD
from tests.support.keys import address_for, key_of

from .conftest import CALL, CASH, LEG, MAKER, TAKER, option

MATCHER = address_for(key_of("matcher"))
OTHER = option(2_100)


def test_post_only__as_maker__fills(pair):
    pair.fill(maker={"flags": Flag.POST_ONLY})


def test_post_only__as_taker__reverts(pair):
    with boa.reverts("exchange: post-only order as taker"):
        pair.fill(taker={"flags": Flag.POST_ONLY})


@pytest.mark.parametrize("flag", [Flag.IMMEDIATE_OR_CANCEL, Flag.FILL_OR_KILL])
def test_immediate__as_maker__reverts(pair, flag):
    with boa.reverts("exchange: immediate order as maker"):
        pair.fill(units=10, maker={"flags": flag}, taker={"units": 10})


def test_immediate_or_cancel__partial_fill__kills_the_rest(pair):
    taker = {"flags": Flag.IMMEDIATE_OR_CANCEL}
    pair.fill(units=3, taker=taker)

    with boa.reverts("exchange: order dead"):
        pair.fill(units=1, taker=taker)
    with boa.reverts("exchange: order dead"):
        pair.exchange.filled(TAKER, pair.taker.nonce)
    pair.fill(units=1, taker={"nonce": nonce_of(0, 1)})


@pytest.mark.parametrize("units", [1, 3])
def test_fill_or_kill__part_of_it__reverts(pair, units):
    with boa.reverts("exchange: not the whole order"):
        pair.fill(units=units, taker={"flags": Flag.FILL_OR_KILL})


def test_fill_or_kill__whole_order__fills(pair):
    pair.fill(units=4, taker={"flags": Flag.FILL_OR_KILL})

    assert pair.exchange.filled(TAKER, pair.taker.nonce) == 4


def test_fill_or_kill__rest_of_a_filled_order__reverts(pair):
    pair.fill(units=1)
    with boa.reverts("exchange: units beyond order"):
        pair.fill(units=4, taker={"flags": Flag.FILL_OR_KILL})


# Reduce-only


@pytest.mark.parametrize("side", ["maker", "taker"])
@pytest.mark.parametrize("beyond", [0, 1])
def test_reduce_only__up_to_nothing__and_not_beyond(pair, side, beyond):
    """The maker buys, the taker sells: they reduce a short and a long position."""
    account, sign = (MAKER, -1) if side == "maker" else (TAKER, 1)
    pair.venue.set_position(account, CALL, sign * (2 * LEG - beyond))
    changes = {side: {"flags": Flag.REDUCE_ONLY}}
    if beyond:
        with boa.reverts("exchange: does not reduce"):
            pair.fill(units=2, **changes)
    else:
        pair.fill(units=2, **changes)
        with boa.reverts("exchange: does not reduce"):
            pair.fill(units=1, nonce=1, **changes)


@pytest.mark.parametrize("held", [0, LEG, 100 * LEG])
def test_reduce_only__position_on_the_same_side__reverts(pair, held):
    pair.venue.set_position(MAKER, CALL, held)
    with boa.reverts("exchange: does not reduce"):
        pair.fill(maker={"flags": Flag.REDUCE_ONLY})


def test_reduce_only__one_leg_grows__reverts(pair):
    legs = (Leg(CALL, LEG), Leg(OTHER, -LEG))
    package = pair.package(legs, 0, flags=Flag.REDUCE_ONLY)
    pair.venue.set_position(MAKER, CALL, -LEG)
    pair.venue.set_position(TAKER, CALL, LEG)
    pair.venue.set_position(MAKER, OTHER, LEG)
    with boa.reverts("exchange: does not reduce"):
        package.fill(price=0, prices=[WAD, WAD])
    pair.venue.set_position(TAKER, OTHER, -LEG)
    package.fill(price=0, prices=[WAD, WAD])


# Who brings the order


def test_matcher__named__may_fill(pair):
    both = {"matcher": MATCHER}
    pair.fill(maker=both, taker=both, sender=MATCHER)


@pytest.mark.parametrize("side", ["maker", "taker"])
def test_matcher__another_sender__reverts(pair, side):
    with boa.reverts("exchange: not the matcher"):
        pair.fill(**{side: {"matcher": MATCHER}}, sender=address_for(key_of("stranger")))


def test_flags__changed_after_signing__is_another_order(pair):
    sign = pair.sign
    pair.sign = lambda order, role: sign(
        type(order)(*order.values()[:1], order.legs, *order.values()[2:-1], 0), role
    )
    pair.fill()
    with boa.reverts("clearing: signer may not trade"):
        pair.fill(maker={"flags": Flag.POST_ONLY, "limit": CASH})
