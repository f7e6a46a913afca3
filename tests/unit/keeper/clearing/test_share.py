"""A share of an account: nothing appears or disappears, and no gain is credited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing import book_hash as hashes
from keeper.clearing import share as shares
from keeper.clearing.account import Account
from keeper.clearing.share import Share
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import CHANGE_AUCTION, CHANGE_PURCHASE, PRICE_UNIT, WAD

EXPIRY = 1_743_552_000
CALL = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.CALL).pack()
PUT = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.PUT).pack()
SELLER = Account("seller", cash=100 * WAD, positions={CALL: -3 * WAD, PUT: 2 * WAD}, collateral={2: 7 * WAD})

fractions = st.integers(1, WAD)
books = st.dictionaries(
    st.sampled_from([CALL, PUT]), st.integers(-(10**15), 10**15).filter(bool).map(lambda n: n * PRICE_UNIT)
)


def share(fraction, **changed):
    terms = {
        "price": 0,
        "payout": 0,
        "initial_margin": 0,
        "mark": 0,
        "linear": 0,
        "earliest": EXPIRY,
    } | changed
    return Share(1, 2, fraction, **terms)


@pytest.mark.parametrize(
    ("quantity", "fraction", "moved"),
    [
        (3 * WAD, WAD // 2, 15 * WAD // 10),
        (-3 * WAD, WAD // 2, -15 * WAD // 10),
        (PRICE_UNIT, WAD - 1, 0),
        (-PRICE_UNIT, WAD - 1, 0),
        (-5 * PRICE_UNIT, WAD, -5 * PRICE_UNIT),
    ],
)
def test_quantity_moved__any_sign__is_truncated_to_the_grid(quantity, fraction, moved):
    assert shares.quantity_moved(quantity, fraction) == moved


def test_cash_moved__debt__is_rounded_up():
    assert shares.cash_moved(-3, WAD // 2) == -2


def test_sold__half__keeps_counters_and_says_so_in_the_hash():
    after = shares.sold(SELLER, share(WAD // 2, price=30 * WAD))

    assert after.cash == 80 * WAD
    assert after.positions == {CALL: -15 * WAD // 10, PUT: WAD}
    assert after.collateral == {2: 35 * WAD // 10}
    assert after.added_im == after.added_mark == 0
    first = hashes.fold(hashes.EMPTY, CHANGE_AUCTION, 2, -35 * WAD // 10, 0)
    assert after.book_hash == hashes.fold(first, CHANGE_AUCTION, 0, -WAD // 2, 0)
    assert hashes.others(after.book_hash) == 2


def test_bought__half__adds_margin_and_no_more_mark_than_was_paid():
    sale = share(WAD // 2, price=30 * WAD, initial_margin=9 * WAD, mark=-10 * WAD, collateral=4 * WAD)
    after = shares.bought(Account("buyer", cash=WAD), SELLER, sale)

    assert after.cash == 21 * WAD
    assert after.added_im == 9 * WAD
    assert after.added_mark == -24 * WAD  # 50 in cash and 4 in collateral for 30: the legs came at minus 24
    assert after.positions == {CALL: -15 * WAD // 10, PUT: WAD}
    assert after.record.earliest_expiry == EXPIRY
    first = hashes.fold(hashes.EMPTY, CHANGE_PURCHASE, 2, 35 * WAD // 10, 0)
    assert after.book_hash == hashes.fold(first, CHANGE_PURCHASE, 0, WAD // 2, 1)
    assert hashes.fills(after.book_hash) == 2


def test_bought__for_cash__what_was_paid_is_no_longer_exempt():
    rich = Account("buyer", cash=90 * WAD, exempt=90 * WAD)

    assert shares.bought(rich, SELLER, share(WAD // 2, price=70 * WAD)).exempt == 70 * WAD
    assert shares.bought(rich, SELLER, share(WAD // 2, price=30 * WAD)).exempt == 90 * WAD


def test_sold__half__half_of_the_deposits_leaves_and_losses_for_good():
    rich = shares.sold(Account("seller", cash=100 * WAD, exempt=80 * WAD), share(WAD // 2))
    poor = shares.sold(Account("seller", cash=10 * WAD, exempt=80 * WAD), share(WAD // 2))

    assert (rich.exempt, poor.exempt) == (40 * WAD, 5 * WAD)


def test_sold__everything__leaves_an_empty_account():
    after = shares.sold(SELLER, share(WAD))

    assert (after.cash, after.positions, after.collateral) == (0, {}, {})


@given(books, st.integers(-(10**24), 10**24), fractions, st.integers(0, 10**24))
def test_share__any__moves_and_conserves(positions, cash, fraction, price):
    seller = Account("seller", cash=cash, positions=positions)
    buyer = Account("buyer", positions={CALL: WAD})
    sale = share(fraction, price=price)
    left, taken = shares.sold(seller, sale), shares.bought(buyer, seller, sale)

    assert left.cash + taken.cash == cash
    for instrument in (CALL, PUT):
        before = seller.positions.get(instrument, 0) + buyer.positions.get(instrument, 0)
        assert left.positions.get(instrument, 0) + taken.positions.get(instrument, 0) == before


@given(
    books, st.integers(-(10**24), 10**24), fractions, st.integers(0, 10**24), st.integers(-(10**24), 10**24)
)
def test_bought__any_discount__credits_no_equity(positions, cash, fraction, price, mark):
    seller = Account("seller", cash=cash, positions=positions)
    after = shares.bought(Account("buyer"), seller, share(fraction, price=price, mark=mark))

    assert after.cash + after.added_mark <= 0
