"""Collateral: what it counts, rounded against the account, and how its balances change."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing import account as accounts
from keeper.clearing import book_hash as hashes
from keeper.clearing.account import Account
from keeper.clearing.collateral import Listing, Value, in_force, value_of
from keeper.units.constants import CHANGE_COLLATERAL, CHANGE_CONVERSION, CHANGE_WITHDRAWAL, WAD

WBTC = Listing(
    index=1, decimals=8, underlying=1, initial_haircut=1_500, maintenance_haircut=1_000, cap=10**12
)
WETH = Listing(index=2, decimals=18, underlying=2, initial_haircut=1_000, maintenance_haircut=500, cap=10**22)
SPOTS = {1: 80_000 * 10**8, 2: 1_600 * 10**8}


def test_value_of__two_tokens__sums_after_each_haircut():
    found = value_of({1: WAD // 2, 2: 10 * WAD}, (WBTC, WETH), SPOTS)

    assert found == Value(56_000 * WAD, (34_000 + 14_400) * WAD, (36_000 + 15_200) * WAD)


def test_value_of__nothing__is_zero():
    assert value_of({}, (WBTC, WETH), SPOTS) == Value()


@given(st.integers(0, 10**24), st.integers(1, 10**15))
def test_value_of__any__haircuts_never_add(amount, spot):
    found = value_of({1: amount}, (WBTC,), {1: spot})

    assert found.initial <= found.maintenance <= found.full
    assert found.full * 10**8 <= amount * spot < (found.full + 1) * 10**8


def test_amount__token_of_eight_decimals__is_wad():
    assert WBTC.amount(10**8) == WAD


def test_deposit_and_withdrawal__any__fold_and_move_the_exempt_part():
    inside = accounts.collateral_deposited(Account("trader"), 2, 5 * WAD)
    left = accounts.collateral_withdrawn(inside, 2, 2 * WAD)

    assert (left.collateral, left.collateral_exempt) == ({2: 3 * WAD}, {2: 3 * WAD})
    assert left.withdraw_nonce == 1
    first = hashes.fold(hashes.EMPTY, CHANGE_COLLATERAL, 2, 5 * WAD, 0)
    assert left.book_hash == hashes.fold(first, CHANGE_WITHDRAWAL, 2, -2 * WAD, 0)
    assert (hashes.fills(left.book_hash), hashes.others(left.book_hash)) == (1, 1)


def test_conversion__part__the_account_s_own_leaves_first():
    inside = accounts.collateral_deposited(Account("trader"), 1, 5 * WAD)
    after = accounts.collateral_converted(inside, 1, 2 * WAD)

    assert (after.withdraw_nonce, after.collateral, after.collateral_exempt) == (
        0,
        {1: 3 * WAD},
        {1: 3 * WAD},
    )
    assert after.book_hash == hashes.fold(inside.book_hash, CHANGE_CONVERSION, 1, -2 * WAD, 0)


def test_withdrawal__everything__leaves_no_word_behind():
    inside = accounts.collateral_deposited(Account("trader"), 1, WAD)
    after = accounts.collateral_withdrawn(inside, 1, WAD)

    assert (after.collateral, after.collateral_exempt) == ({}, {})


def test_in_force__delisted__haircuts_rise_to_one_and_then_it_counts_nothing():
    leaving = WBTC.delisted(1_000, 2_000)

    def haircuts(now):
        return [(x.initial_haircut, x.maintenance_haircut) for x in in_force([leaving, WETH], now)]

    assert (leaving.cap, haircuts(1_000)) == (0, [(1_500, 1_000), (1_000, 500)])
    assert haircuts(1_500)[0] == (5_750, 5_500)
    assert haircuts(1_999)[0] == (9_992, 9_991)  # rounded up, against the account
    assert haircuts(2_000) == [(1_000, 500)]
