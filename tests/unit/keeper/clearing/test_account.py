"""Account changes: exact cash, counters that never credit a gain, an exemption that only losses move."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing import account as accounts
from keeper.clearing import book_hash as hashes
from keeper.clearing.account import Account, Fill, InstrumentMargin
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import CHANGE_FILL, CHANGE_SETTLEMENT, CHANGE_UNCOUNTED_FILL, WAD

EXPIRY = 1_743_552_000
CALL = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.CALL).pack()
PERP = Instrument(1, 0, 0, Kind.PERP).pack()
MARGIN = InstrumentMargin(mark=150 * WAD, im_long=150 * WAD, im_short=400 * WAD)

quantities = st.integers(-(10**12), 10**12).filter(bool).map(lambda n: n * 10**10)
prices = st.integers(0, 10**14).map(lambda n: n * 10**10)
margins = st.none() | st.builds(
    InstrumentMargin,
    mark=st.integers(0, 10**24),
    im_long=st.integers(0, 10**24),
    im_short=st.integers(0, 10**24),
)


def test_filled__counted__moves_cash_counters_hash():
    before = Account("trader", cash=1_000 * WAD, exempt=1_000 * WAD)

    after = accounts.filled(before, Fill(CALL, 2 * WAD, 140 * WAD, WAD, MARGIN))

    assert after.cash == 719 * WAD
    assert after.exempt == 1_000 * WAD
    assert after.positions == {CALL: 2 * WAD}
    assert after.added_im == 300 * WAD
    assert after.added_mark == 280 * WAD  # paid 280, marked 300: the gain of 20 is not credited
    assert after.book_hash == hashes.fold(hashes.EMPTY, CHANGE_FILL, CALL, 2 * WAD, 140 * WAD)


def test_filled__without_a_leaf__leaves_the_counters():
    after = accounts.filled(Account("trader"), Fill(CALL, -WAD, 140 * WAD, 0, None))

    assert (after.added_im, after.added_mark) == (0, 0)
    assert after.book_hash == hashes.fold(hashes.EMPTY, CHANGE_UNCOUNTED_FILL, CALL, -WAD, 140 * WAD)
    assert hashes.others(after.book_hash) == 1


def test_filled__position_closed__disappears():
    opened = accounts.filled(Account("trader"), Fill(PERP, WAD, 140 * WAD, 0, None))

    assert accounts.filled(opened, Fill(PERP, -WAD, 150 * WAD, 0, None)).positions == {}


def test_filled__perp__moves_the_linear_bound_by_the_credited_mark():
    after = accounts.filled(Account("trader"), Fill(PERP, -WAD, 140 * WAD, 0, MARGIN))

    assert after.record.linear == -150 * WAD
    assert after.record.earliest_expiry == accounts.NEVER


def test_filled__option__lowers_the_earliest_expiry():
    after = accounts.filled(Account("trader"), Fill(CALL, WAD, 140 * WAD, 0, MARGIN))

    assert after.record.linear == 0
    assert after.record.earliest_expiry == EXPIRY


def test_settled__two_legs__become_cash_as_one_change():
    put = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.PUT).pack()
    before = Account("trader", cash=5 * WAD, exempt=5 * WAD, positions={put: -WAD, CALL: 2 * WAD, PERP: WAD})

    after = accounts.settled(before, {CALL: 0, put: 3 * WAD})

    assert after.cash == 2 * WAD
    assert after.exempt == 2 * WAD
    assert after.positions == {PERP: WAD}
    latest = Instrument(0, EXPIRY, 0, Kind.PERP).pack()
    assert after.book_hash == hashes.fold(hashes.EMPTY, CHANGE_SETTLEMENT, latest, 3 * WAD, WAD)


def test_exempt__gain_after_loss__is_not_restored():
    trader = accounts.deposited(Account("trader"), 100 * WAD)
    trader = accounts.filled(trader, Fill(CALL, WAD, 90 * WAD, 0, None))
    trader = accounts.ratcheted(trader, trader.cash)
    trader = accounts.filled(trader, Fill(CALL, -WAD, 200 * WAD, 0, None))

    assert trader.cash == 210 * WAD
    assert trader.exempt == 10 * WAD


def test_withdrawn__more_than_exempt__leaves_none():
    trader = accounts.withdrawn(Account("trader", cash=30, exempt=10), 20)

    assert (trader.cash, trader.exempt, trader.withdraw_nonce) == (10, 0, 1)


@given(quantities, prices, margins)
def test_filled__both_sides__conserve_cash(quantity, price, margin):
    long = accounts.filled(Account("long"), Fill(CALL, quantity, price, 0, margin))
    short = accounts.filled(Account("short"), Fill(CALL, -quantity, price, 0, margin))

    assert long.cash + short.cash == 0
    assert long.added_mark + short.added_mark <= 0


@given(quantities, prices, margins.filter(lambda m: m is not None))
def test_filled__any__credits_no_equity(quantity, price, margin):
    after = accounts.filled(Account("trader"), Fill(CALL, quantity, price, 0, margin))

    assert after.cash + after.added_mark <= 0
