"""The whole clearing house: what it holds equals what it owes, whatever happens."""

from keeper.clearing.account import InstrumentMargin
from keeper.clearing.collateral import Listing
from keeper.clearing.ledger import Ledger, Token, Trade, TradeLeg
from keeper.clearing.share import Share
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD

FUTURE = Instrument(1, 1_743_552_000, 0, Kind.FUTURE).pack()
CALL = Instrument(1, 1_743_552_000, 3_000 * 10**8, Kind.CALL).pack()
WETH = Listing(index=1, decimals=18, underlying=1, initial_haircut=1_000, maintenance_haircut=500, cap=10**21)
USDC = Token(decimals=6, outflow_share=WAD // 20)


def traded():
    ledger = Ledger(USDC)
    for number in (1, 2):
        ledger.open_account(number, f"owner {number}")
        ledger.deposit(number, 1_000 * 10**6)
    ledger.trade(Trade(1, 2, (TradeLeg(FUTURE, WAD, 3_000 * WAD),), WAD, 2 * WAD), None)
    return ledger


def test_trade__with_fees__conserves():
    ledger = traded()

    assert ledger.fees == 3 * WAD
    assert ledger.accounts[1].cash == -2_001 * WAD
    assert ledger.net_interest() == {FUTURE: 0}
    assert ledger.open_interest() == {FUTURE: WAD}
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


def test_trade__two_legs__one_fee_a_side_and_both_counted():
    ledger = traded()
    margins = (InstrumentMargin(WAD, 2 * WAD, 3 * WAD), InstrumentMargin(5 * WAD, 7 * WAD, 9 * WAD))
    legs = (TradeLeg(CALL, WAD, 5 * WAD), TradeLeg(FUTURE, -WAD, 3_000 * WAD))
    ledger.trade(Trade(1, 2, legs, WAD, 0), margins)

    assert ledger.accounts[1].positions == {CALL: WAD}
    assert ledger.accounts[1].cash == (1_000 - 3_001 + 2_995 - 1) * WAD
    assert (ledger.accounts[1].added_im, ledger.accounts[2].added_im) == ((2 + 9) * WAD, (3 + 7) * WAD)
    assert ledger.fees == 4 * WAD
    assert ledger.imbalance({}) == 0


def test_collateral__in_and_out__is_held_apart():
    ledger = traded()
    ledger.list_collateral(WETH)
    ledger.deposit_collateral(1, 1, 2 * 10**18)
    ledger.withdraw_collateral(1, 1, 5 * 10**17, now=10)

    assert ledger.accounts[1].collateral == {1: 15 * 10**17}
    assert ledger.vaults[1].held == 15 * 10**17
    assert ledger.vaults[1].bucket.level == 0  # its owner's own
    assert ledger.imbalance({FUTURE: 1}) == 0


def test_convert_collateral__for_cash__conserves():
    ledger = traded()
    ledger.list_collateral(WETH)
    ledger.deposit_collateral(1, 1, 2 * 10**18)
    before = ledger.accounts[1].cash
    ledger.convert_collateral(1, 1, 10**18, 1_500 * 10**6)

    assert ledger.accounts[1].cash - before == 1_500 * WAD
    assert ledger.vaults[1].held == 10**18
    assert ledger.imbalance({FUTURE: 1}) == 0


def test_transfer_share__payout_half_covered__rest_is_everybodys_loss():
    ledger = traded()
    ledger.open_account(3, "buyer")
    ledger.deposit(3, 1_000 * 10**6)
    ledger.transfer_share(Share(1, 3, WAD, 0, 100 * WAD, 0, 0, 0, 2**40 - 1), covered=40 * 10**6)

    assert ledger.losses.shortfall == 60 * WAD
    assert ledger.accounts[1].positions == {}
    assert ledger.accounts[3].positions == {FUTURE: WAD}
    assert ledger.accounts[3].cash == (1_000 - 2_001 + 100) * WAD
    assert ledger.imbalance({FUTURE: 1}) == 0


def test_transfer_share__covered_to_the_next_token__crumb_is_a_fee():
    ledger = traded()
    ledger.open_account(3, "buyer")
    fees = ledger.fees
    ledger.transfer_share(Share(1, 3, WAD, 0, WAD + 1, 0, 0, 0, 2**40 - 1), covered=10**6 + 1)

    assert ledger.losses.shortfall == 0
    assert ledger.fees - fees == 10**12 - 1
    assert ledger.imbalance({FUTURE: 1}) == 0


def test_withdraw__with_a_shortfall__pays_the_rate():
    ledger = Ledger(USDC)
    for number in (1, 2, 3):
        ledger.open_account(number, f"owner {number}")
        ledger.deposit(number, 300 * 10**6)
    ledger.transfer_share(Share(1, 2, WAD // 2, 0, 100 * WAD, 0, 0, 0, 2**40 - 1))
    paid = ledger.withdraw(3, 100 * 10**6, now=10)

    assert paid == 90 * 10**6
    assert ledger.losses.shortfall == 90 * WAD
    assert ledger.imbalance({}) == 0


def test_deposit__with_a_shortfall__credits_more_cash_but_exempts_the_tokens():
    ledger = Ledger(USDC)
    for number in (1, 2):
        ledger.open_account(number, f"owner {number}")
        ledger.deposit(number, 300 * 10**6)
    ledger.transfer_share(Share(1, 2, WAD // 2, 0, 200 * WAD, 0, 0, 0, 2**40 - 1))
    ledger.open_account(3, "late")
    ledger.deposit(3, 90 * 10**6)

    assert (ledger.accounts[3].cash, ledger.accounts[3].exempt) == (120 * WAD, 90 * WAD)
    assert ledger.imbalance({}) == 0


def test_freeze__and_back__is_kept():
    ledger = traded()
    ledger.freeze(1, True)
    assert ledger.accounts[1].frozen
    ledger.freeze(1, False)
    assert not ledger.accounts[1].frozen
