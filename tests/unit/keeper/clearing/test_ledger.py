"""The whole clearing house: what it holds equals what it owes, whatever happens."""

from keeper.clearing.ledger import Ledger, Token, Trade
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD

FUTURE = Instrument(1, 1_743_552_000, 0, Kind.FUTURE).pack()
USDC = Token(decimals=6, outflow_share=WAD // 20)


def traded():
    ledger = Ledger(USDC)
    for number in (1, 2):
        ledger.open_account(number, f"owner {number}")
        ledger.deposit(number, 1_000 * 10**6)
    ledger.trade(Trade(1, 2, FUTURE, WAD, 3_000 * WAD, WAD, 2 * WAD), None)
    return ledger


def test_trade__with_fees__conserves():
    ledger = traded()

    assert ledger.fees == 3 * WAD
    assert ledger.accounts[1].cash == -2_001 * WAD
    assert ledger.open_interest() == {FUTURE: 0}
    assert ledger.imbalance({FUTURE: 1}) == 0


def test_settle__one_side_only__conserves_at_the_settlement_price():
    ledger = traded()
    ledger.settle(1, {FUTURE: 3_100 * WAD})

    assert ledger.accounts[1].cash == 1_099 * WAD
    assert ledger.imbalance({FUTURE: 3_100 * WAD}) == 0
    ledger.settle(2, {FUTURE: 3_100 * WAD})
    assert ledger.imbalance({}) == 0


def test_withdraw__gain__fills_the_bucket():
    ledger = traded()
    ledger.settle(1, {FUTURE: 3_100 * WAD})
    ledger.settle(2, {FUTURE: 3_100 * WAD})
    exempt = ledger.exempt_amount(1)
    ledger.withdraw(1, 50 * 10**6, now=10)

    assert exempt == 0  # its cash was below zero while it held the future
    assert ledger.bucket.level == 50 * 10**6
    assert ledger.imbalance({}) == 0
