"""Collateral sold for negative cash: from above the oracle price down, never below what it counted, and no
more than what is missing.
"""

import boa
import pytest

from keeper.units import constants as c
from tests.support.auctions import DEBT_TERMS, EXPIRY, USD8, USDC, WAD, events, unit
from tests.unit.contracts.liquidation.conftest import LATER, SPOT, STRIKE, Indebted


def test_conversion__whole_need__meets_it_and_ends(indebted):
    hall = indebted.hall
    assert indebted.start().settled == -2_000 * WAD
    event = indebted.convert(10 * WAD)
    assert len(events(hall.on.sale, "ConversionEnded")) == 1
    unit_price = SPOT * DEBT_TERMS[0]
    assert event.amount == -(-2_000 * WAD * WAD // unit_price)
    assert 2_000 * USDC <= event.cost <= 2_000 * USDC + 1
    assert 0 <= hall.cash(indebted.debtor) <= 2 * 10**12
    assert hall.on.ether.balanceOf(indebted.buyer) == event.amount
    assert hall.on.token.balanceOf(indebted.buyer) == 10_000 * USDC - event.cost
    assert hall.on.sale.conversion_started(indebted.debtor) == 0
    with boa.reverts("sale: no conversion"):
        indebted.convert(WAD)


@pytest.mark.parametrize("seconds", [0, 150, 600, 5_000])
def test_conversion__time_passes__price_falls_and_equity_never_does(indebted, seconds):
    indebted.start()
    if seconds:
        indebted.later(seconds)
    before = indebted.equity(500), indebted.equity(1_000)
    event = indebted.convert(WAD // 10)
    share = DEBT_TERMS[0] - (DEBT_TERMS[0] - DEBT_TERMS[1]) * min(seconds, 600) // 600
    assert event.cost == -(-SPOT * USDC * share // WAD // 10)
    assert indebted.equity(500) >= before[0]
    assert indebted.equity(1_000) > before[1]


def test_conversion__floor_below_the_haircut__price_stops_at_what_counts(indebted):
    hall = indebted.hall
    terms = list(hall.on.sale.terms())
    terms[1] = 80 * WAD // 100
    hall.on.sale.set_terms(tuple(terms), sender=hall.on.owner)
    indebted.start()
    indebted.later(600)
    before = indebted.equity(500)
    assert indebted.convert(WAD // 10).cost == SPOT * USDC * 95 // 100 // 10
    assert indebted.equity(500) == before


def test_conversion__parts__stop_at_zero(indebted):
    hall = indebted.hall
    indebted.start()
    indebted.convert(WAD // 2)
    assert hall.on.sale.conversion_started(indebted.debtor) != 0
    assert indebted.convert(WAD // 2).amount < WAD // 2
    assert 0 <= hall.cash(indebted.debtor) <= 2 * 10**12


def test_conversion__deposit_came_first__ends_without_a_sale(indebted):
    hall = indebted.hall
    indebted.start()
    hall.deposit(indebted.debtor, 2_000)
    assert indebted.convert(WAD) is None
    assert len(events(hall.on.sale, "ConversionEnded")) == 1
    assert indebted.ether() == 15 * WAD // 10


def test_conversion__posted_spot_above_the_effective_one__asks_for_the_greater(indebted):
    hall = indebted.hall
    indebted.start()
    hall.post(units=[unit(LATER)], spot=2_400 * USD8, effective=2_346 * USD8)
    event = indebted.convert(WAD // 10)
    share = DEBT_TERMS[0] - (DEBT_TERMS[0] - DEBT_TERMS[1]) * 15 // 600
    assert event.cost == -(-2_400 * USDC * share // WAD // 10)


# Refused


def test_start__settled_cash_not_negative_enough__refused(indebted):
    hall = indebted.hall
    terms = list(hall.on.sale.terms())
    terms[3] = 2_000 * WAD
    hall.on.sale.set_terms(tuple(terms), sender=hall.on.owner)
    with boa.reverts("sale: settled cash within the buffer"):
        indebted.start()
    hall.deposit(indebted.debtor, 2_000)
    with boa.reverts("sale: settled cash within the buffer"):
        indebted.start()


def test_start__twice_or_stale_or_without_collateral__refused(indebted):
    hall = indebted.hall
    with boa.reverts("sale: no collateral"):
        hall.on.sale.start_conversion(indebted.other, [STRIKE])
    indebted.start()
    with boa.reverts("sale: conversion running"):
        indebted.start()
    hall.wait(181)
    with boa.reverts("sale: epoch too old"):
        hall.on.sale.start_conversion(indebted.other, [STRIKE])


def test_convert__epoch_of_a_minute_ago__refused(indebted):
    indebted.start()
    indebted.hall.wait(59)
    indebted.convert(WAD // 100)
    indebted.hall.wait(1)
    with boa.reverts("sale: epoch too old"):
        indebted.convert(WAD // 100)


def test_convert__dearer_than_the_limit_pro_rata__refused(indebted):
    indebted.start()
    cost = -(-SPOT * USDC * DEBT_TERMS[0] // WAD)
    with boa.reverts("sale: cost beyond limit"):
        indebted.convert(WAD, limit=cost - 10)  # of what is sold, .85, the limit is as much
    indebted.convert(WAD, limit=cost + 10)


def test_convert__nothing_or_another_token__refused(indebted):
    indebted.start()
    with boa.reverts("sale: nothing to sell"):
        indebted.convert(0)
    with boa.reverts("sale: token not held"):
        indebted.convert(WAD, token=indebted.hall.on.token.address)


def test_conversion__account_in_auction__refused(hall):
    debtor, other = hall.open("debtor"), hall.open("other", 100_000)
    hall.deposit_ether(debtor, WAD)
    hall.hold(debtor, other, {STRIKE: -10 * WAD, LATER: -10 * WAD})
    hall.wait(EXPIRY + c.SETTLEMENT_FALLBACK - boa.env.evm.patch.timestamp)
    hall.post(units=[unit(STRIKE), unit(LATER)], spot=SPOT * USD8)
    hall.on.oracle.finalize_settlement(1, EXPIRY)
    hall.on.clearing.settle(debtor, hall.book(debtor))
    hall.move(debtor, STRIKE, 10 * WAD)
    running = Indebted(hall, debtor, other, hall.owners[other])
    running.start()
    # cash -1,000, marks -3,100, ether 2,300
    stated = hall.margin(debtor, mark_to_market=-3_100 * WAD, maintenance_margin=WAD)
    hall.post(stated, units=[unit(LATER)], spot=SPOT * USD8)
    hall.flag(debtor)
    with boa.reverts("sale: in auction"):
        running.convert(WAD)
    with boa.reverts("sale: conversion running"):
        running.start()
    assert hall.auction(debtor).insolvent


def test_start__account_in_auction__refused(hall):
    debtor, other = hall.open("debtor"), hall.open("other", 100_000)
    hall.deposit_ether(debtor, WAD)
    hall.hold(debtor, other, {LATER: -10 * WAD})
    stated = hall.margin(debtor, initial_margin=2_500 * WAD, maintenance_margin=2_000 * WAD)
    hall.post(stated, units=[unit(LATER)])
    hall.flag(debtor)
    with boa.reverts("sale: in auction"):
        hall.on.sale.start_conversion(debtor, [LATER])
