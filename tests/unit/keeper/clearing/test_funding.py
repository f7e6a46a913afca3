"""Funding: an index that rests without a rate, and adds up to nothing whoever is touched when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing import funding
from keeper.clearing.account import InstrumentMargin
from keeper.clearing.funding import Funding
from keeper.clearing.ledger import Ledger, Token, Trade, TradeLeg
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import FUNDING_STEP, MAX_FUNDING_GAP, WAD

PERP = Instrument(1, 0, 0, Kind.PERP).pack()
RATE = WAD // 1_000  # a tenth of a cent a second
ANY_PRICE = InstrumentMargin(2_000 * WAD, 100 * WAD, 100 * WAD)

rates = st.integers(-(10**18), 10**18)
quantities = st.integers(-(10**12), 10**12).filter(bool).map(lambda n: n * 10**10)
gaps = st.integers(0, 2 * MAX_FUNDING_GAP)


def held(quantity, number=2):
    ledger = Ledger(Token(6, WAD // 20))
    for n in range(1, number + 1):
        ledger.open_account(n, f"owner {n}")
        ledger.deposit(n, 10_000 * 10**6)
    trade(ledger, 1, 2, quantity, 0)
    return ledger


def trade(ledger, maker, taker, quantity, now):
    ledger.trade(Trade(maker, taker, (TradeLeg(PERP, quantity, 2_000 * WAD),), 0, 0), [ANY_PRICE], now=now)


def test_index_at__rate_renewed__runs_on_and_without_one_rests():
    first = Funding().with_rate(RATE, 1_000)

    assert first.index_at(1_100) == 100 * RATE
    assert first.with_rate(0, 1_100).index_at(9_999_999) == 100 * RATE
    assert first.with_rate(-RATE, 1_100).index_at(1_300) == -100 * RATE


def test_index_at__nobody_renews__stops_after_the_gap():
    assert Funding().with_rate(RATE, 0).index_at(10**9) == MAX_FUNDING_GAP * RATE


@pytest.mark.parametrize(
    ("rate", "index"), [(FUNDING_STEP - 1, 0), (1 - FUNDING_STEP, 0), (-FUNDING_STEP, -(10**8))]
)
def test_index_at__less_than_a_step__is_dropped_towards_zero(rate, index):
    assert Funding().with_rate(rate, 0).index_at(1) == index


def test_index_at__rate_below_a_step__adds_up_over_updates():
    found = Funding()
    for now in range(0, 100, 10):
        found = found.with_rate(FUNDING_STEP // 100, now)

    assert found.index_at(100) == FUNDING_STEP


def test_trade__perp_held__funding_becomes_cash():
    ledger = held(2 * WAD)
    ledger.set_funding_rate(PERP, RATE, 100)
    trade(ledger, 1, 2, WAD, 1_100)

    assert ledger.accounts[1].cash == (10_000 - 6_000) * WAD - 2_000 * RATE
    assert ledger.accounts[2].cash == (10_000 + 6_000) * WAD + 2_000 * RATE
    assert ledger.accounts[1].entries == {PERP: 1_000 * RATE}


def test_settle__ended_perp__pays_price_and_funding():
    ledger = held(WAD)
    ledger.set_funding_rate(PERP, RATE, 0)
    ledger.end_perp(PERP, 600, 300)
    for number in (1, 2):
        ledger.settle(number, {PERP: 2_100 * WAD}, 700)

    assert ledger.accounts[1].cash == 10_100 * WAD - 300 * RATE
    assert ledger.accounts[1].positions == ledger.accounts[1].entries == {}
    assert ledger.imbalance({}) == 0


@given(quantities, st.lists(st.tuples(rates, gaps, st.integers(0, 2), quantities), max_size=6))
def test_funding__any_order_of_touches__sums_to_zero(quantity, steps):
    ledger, now = held(quantity, 3), 0
    for rate, gap, first, traded in steps:
        ledger.set_funding_rate(PERP, rate, now)
        now += gap
        trade(ledger, first + 1, (first + 1) % 3 + 1, traded, now)

    assert (
        sum(ledger.funding_of(n, now + 77) for n in ledger.accounts)
        + sum(account.cash - 10_000 * WAD for account in ledger.accounts.values())
        == 0
    )
    assert ledger.imbalance({}, now + 77) == 0


@given(quantities, rates, gaps)
def test_accrued__any__is_exact(quantity, rate, gap):
    index = Funding().with_rate(rate, 0).index_at(gap)

    assert funding.accrued(quantity, 0, index) * WAD == -quantity * index
