"""Flags by a leaf that the account has traded away from: the replay bounds it, and nothing else passes."""

from dataclasses import replace

import boa
import pytest

from keeper.liquidation.claim import Change
from keeper.units import constants as c
from tests.support.auctions import CALL, EXPIRY, MARK, PUT, USD8, WAD, call, events, unit
from tests.support.claims import opened

HEALTHY = "auction: not below maintenance margin"
ELSEWHERE = "claim: changes do not lead to the book"
# of a unit, initial and maintenance margin: 10 and 5 long, 20 and 10 short
UNITS = [unit(CALL, margin=10 * WAD), unit(PUT, margin=10 * WAD)]
LOW = {"initial_margin": 2_500 * WAD, "maintenance_margin": 2_100 * WAD}


def trade(fallen, *deals):
    """Trades right after the epoch that puts the seller below, by the epoch before it, which still passes."""
    hall = fallen.hall
    hall.post(units=UNITS)
    hall.refresh(fallen.seller, fallen.other)
    hall.post(hall.margin(fallen.seller, **LOW), units=UNITS)
    for instrument, quantity in deals:
        hall.trade(fallen.seller, fallen.other, instrument, quantity)
    return hall


@pytest.mark.parametrize("instrument", [CALL, PUT])
@pytest.mark.parametrize("quantity", [WAD // 100, -WAD // 100])
def test_flag__after_a_dust_trade__still_passes(fallen, instrument, quantity):
    hall = trade(fallen, (instrument, quantity))
    with boa.reverts(ELSEWHERE):
        hall.flag(fallen.seller, hall.claim(fallen.seller, changes=[]))
    hall.flag(fallen.seller)
    assert hall.auction(fallen.seller).maintenanceMargin >= 2_099 * WAD


def test_flag__after_a_real_trade__margins_are_bounded_and_the_mark_is_exact(fallen):
    hall = trade(fallen, (CALL, 3 * WAD), (PUT, -WAD), (CALL, 2 * WAD))
    hall.flag(fallen.seller)
    auction = hall.auction(fallen.seller)
    assert auction.mark == -6 * MARK
    assert auction.maintenanceMargin == (2_100 - 5 * 10 - 1 * 5) * WAD
    assert auction.initialMargin == (2_500 - 5 * 20 - 1 * 10) * WAD
    assert auction.added == (2_500 + 5 * 10 + 1 * 20) * WAD


def test_flag__undoing_the_trade_may_cost_the_difference__refused(fallen):
    hall = trade(fallen, (PUT, 10 * WAD))  # selling ten puts would need 100
    with boa.reverts(HEALTHY):
        hall.flag(fallen.seller)


def test_flag__trades_netted__counts_only_the_net(fallen):
    hall = trade(fallen, (PUT, 10 * WAD), (PUT, -10 * WAD))
    hall.flag(fallen.seller)
    assert hall.auction(fallen.seller).maintenanceMargin == 2_100 * WAD


# What is refused


def test_flag__a_change_missing_repeated_forged_or_out_of_order__refused(fallen):
    hall, seller = trade(fallen, (PUT, WAD), (CALL, WAD)), fallen.seller
    first, second = hall.links[seller]
    forged = replace(second, price=second.price + c.PRICE_UNIT)
    for changes in ([first], [second], [second, first], [first, second, second], [first, forged]):
        with boa.reverts(ELSEWHERE):
            hall.flag(seller, hall.claim(seller, changes=changes))
    hall.flag(seller)


def test_flag__instrument_without_its_leaf_or_with_a_forged_one__refused(fallen):
    hall, seller = trade(fallen, (PUT, WAD), (CALL, WAD)), fallen.seller
    call_leaf, put_leaf = (hall.epoch.instruments[i] for i in (CALL, PUT))
    with boa.reverts("claim: instrument without a leaf"):
        hall.flag(seller, hall.claim(seller, units=[call_leaf]))
    with boa.reverts("claim: instruments not ascending"):
        hall.flag(seller, hall.claim(seller, units=[put_leaf, call_leaf]))
    paths = [hall.epoch.proof(call_leaf), hall.epoch.proof(put_leaf)]
    forged = replace(put_leaf, mm_short=0)
    with boa.reverts("oracle: not in the epoch"):
        hall.flag(seller, hall.claim(seller, units=[call_leaf, forged], unit_paths=paths))
    with boa.reverts("claim: a path per instrument"):
        hall.flag(seller, hall.claim(seller, unit_paths=paths[:1]))


def test_flag__leaf_of_another_account_or_path_of_another_leaf__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    with boa.reverts("auction: claim on another account"):
        hall.flag(seller, hall.claim(fallen.other, instruments=hall.book(seller)))
    with boa.reverts("oracle: not in the epoch"):
        hall.flag(seller, hall.claim(seller, path=hall.epoch.proof(hall.epoch.leaves[fallen.other])))


@pytest.mark.parametrize("instruments", [[], [PUT], [CALL, PUT]])
def test_flag__not_the_whole_book__refused(fallen, instruments):
    hall = fallen.hall
    with boa.reverts():
        hall.flag(fallen.seller, hall.claim(fallen.seller, instruments=instruments))
    hall.flag(fallen.seller)


def test_flag__leaf_cannot_reach_that_far__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    hall.post(units=UNITS)
    hall.refresh(seller, fallen.other)
    hall.post(hall.margin(seller, max_added_im=19 * WAD, **LOW), units=UNITS)
    hall.trade(seller, fallen.other, PUT, WAD)  # sold again it would need 20
    with boa.reverts("claim: beyond the leaf's reach"):
        hall.flag(seller)


# Posted spots


@pytest.mark.parametrize(("posted", "flagged"), [(-1_000 * WAD, False), (-1_252 * WAD, True)])
def test_flag__spot_outside_its_band__net_changes_may_be_worth_the_distance_more(fallen, posted, flagged):
    hall, seller = fallen.hall, fallen.seller
    hall.post(units=UNITS)
    hall.refresh(seller, fallen.other)
    before = hall.margin(seller, mark_posted=posted, **LOW)
    hall.trade(seller, fallen.other, CALL, 5 * WAD)
    links = hall.links[seller]
    # no call is worth more at 1,900 than at the band's edge, but some leg might be, by 60 at most
    hall.post(before, units=UNITS, spot=1_900 * USD8, effective=1_960 * USD8)
    hall.links[seller] = links
    if flagged:
        hall.flag(seller)
        assert hall.auction(seller).mark == -5 * MARK
    else:
        with boa.reverts(HEALTHY):
            hall.flag(seller)


# Collateral


@pytest.mark.parametrize(("amount", "flagged"), [(WAD // 100, True), (WAD // 10, False)])
def test_flag__after_collateral_came_in__counts_it_twice_for_the_account(fallen, amount, flagged):
    hall, seller = fallen.hall, fallen.seller
    hall.deposit_ether(seller, amount)
    if not flagged:
        with boa.reverts(HEALTHY):
            hall.flag(seller)
        return
    hall.flag(seller)
    (event,) = events(hall.on.house, "AuctionStarted")
    assert event.equity == 2_020 * WAD
    auction = hall.auction(seller)
    assert auction.maintenanceMargin == 2_080 * WAD  # 20 of spot came in: it may be what the margin is of
    assert (auction.initialMargin, auction.added) == (2_480 * WAD, 2_520 * WAD)


# Settlement


def test_flag__after_a_settlement__by_a_leaf_of_a_later_epoch(hall):
    later = call(2_000, EXPIRY + 7 * 86_400)
    seller, other = hall.open("seller", 2_000), hall.open("other", 100_000)
    hall.hold(seller, other, {PUT: -10 * WAD, later: -10 * WAD})
    hall.wait(EXPIRY - boa.env.evm.patch.timestamp + c.SETTLEMENT_FALLBACK)
    low = {"initial_margin": 2_500 * WAD, "maintenance_margin": 2_100 * WAD}
    units = [unit(PUT, 0), unit(later)]
    hall.post(units=units, seconds=1)
    hall.on.oracle.finalize_settlement(1, EXPIRY)
    hall.post(hall.margin(seller, **low), units=units, seconds=1)
    with boa.reverts("claim: settle first"):
        hall.flag(seller)
    hall.on.clearing.settle(seller, hall.book(seller))
    hall.links[seller].append(Change(c.CHANGE_SETTLEMENT, EXPIRY << 72, 0, WAD))
    hall.move(seller, PUT, 10 * WAD)
    with boa.reverts(HEALTHY):
        hall.flag(seller)  # 3,000 with the premium of the puts
    hall.post(hall.margin(seller, maintenance_margin=3_100 * WAD), units=units, seconds=1)
    hall.flag(seller)
    assert hall.auction(seller).mark == -10 * MARK


def test_flag__settled_in_the_money__takes_exactly_the_payoff_out_of_the_mark(hall):
    strike = call(1_900)
    later = call(2_000, EXPIRY + 7 * 86_400)
    seller, other = hall.open("seller", 2_000), hall.open("other", 100_000)
    hall.hold(seller, other, {strike: -10 * WAD, later: -10 * WAD})
    hall.wait(EXPIRY - boa.env.evm.patch.timestamp + c.SETTLEMENT_FALLBACK)
    units = [unit(strike), unit(later)]
    hall.post(units=units, seconds=1)
    hall.on.oracle.finalize_settlement(1, EXPIRY)
    hall.post(hall.margin(seller, initial_margin=2_500 * WAD, maintenance_margin=2_100 * WAD), units=units)
    hall.on.clearing.settle(seller, hall.book(seller))
    hall.links[seller].append(Change(c.CHANGE_SETTLEMENT, EXPIRY << 72, 1_000 * WAD, WAD))
    hall.move(seller, strike, 10 * WAD)
    hall.flag(seller)
    assert hall.auction(seller).mark == -10 * MARK
    assert hall.cash(seller) == 3_000 * WAD


def test_flag__leaf_of_an_epoch_before_the_expiry_that_was_settled__refused(hall):
    """No price can be final before an epoch after the expiry, but for the fallback of a day later."""
    later = call(2_000, EXPIRY + 7 * 86_400)
    seller, other = hall.open("seller", 2_000), hall.open("other", 100_000)
    hall.hold(seller, other, {PUT: -WAD, later: -10 * WAD})
    hall.post(hall.margin(seller, initial_margin=2_500 * WAD, maintenance_margin=2_100 * WAD))
    hall.wait(EXPIRY - boa.env.evm.patch.timestamp + c.SETTLEMENT_FALLBACK + 1)
    hall.on.oracle.finalize_settlement(1, EXPIRY)
    hall.on.clearing.settle(seller, hall.book(seller))
    hall.links[seller].append(Change(c.CHANGE_SETTLEMENT, EXPIRY << 72, 0, WAD))
    hall.move(seller, PUT, WAD)
    with boa.reverts("claim: epoch before the settlement"):
        hall.on.claim_gate.examine(opened(hall.claim(seller)))
