"""Invariant 11, flag bound: what a replay proves of a changed account never overstates its margins and never
understates its mark. First by the methodology of the tests, exactly; then by the real one.
"""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf
from keeper.clearing import account as accounts
from keeper.clearing.account import Account, Fill, InstrumentMargin
from keeper.liquidation import claim as claims
from keeper.liquidation.claim import Change, ClaimError
from keeper.markets.instrument import Kind, Leg
from keeper.risk.collateral import Collateral
from keeper.risk.margin import account_margin, build_table, unit_margins
from keeper.risk.methodology import Methodology
from keeper.units import constants as c
from keeper.units.constants import PRICE_UNIT
from tests.stateful import typed
from tests.stateful.books import INSTRUMENTS, books, changed, coins, markets_after_an_expiry, trades
from tests.stateful.deployment import LISTINGS
from tests.stateful.epochs import Views, instrument_leaf, margin_leaf, margin_of
from tests.support.flat_market import SPOTS, flat_market, future, option, perp

USD, WAD = 10**8, 10**18
moves_of_coins = st.integers(-(10**13), 10**13).filter(bool)
changes = st.lists(st.one_of(trades, moves_of_coins, st.just("settle")), min_size=1, max_size=8)


def replayed(leaf, units, before, after, links, prices):
    """Bounds from the leaf on `before` for the account as it is `after`."""
    effect = claims.replay(before.book_hash, after.book_hash, links)
    assume(all(token in after.collateral for token, net in effect.collateral.items() if net))
    return claims.bounds(leaf, units, effect, 0, claims.moved_value(effect, prices))


def after_all(account, market, sequence):
    links = []
    for change in sequence:
        account, more = changed(account, market, change)
        links += more
    return account, links


@given(books, coins, markets_after_an_expiry, changes)
def test_replay__any_changes__bounds_the_margins_of_the_tests(positions, held, market, sequence):
    before = Account("owner", positions=positions, collateral=held)
    after, links = after_all(before, market, sequence)
    leaf = MarginLeaf(*typed.values("MarginLeaf", margin_leaf(1, before, Views(market, market))))
    filled = {link.instrument for link in links if link.kind in claims.FILLS}
    units = {i: InstrumentLeaf(*typed.values("InstrumentLeaf", instrument_leaf(i, market))) for i in filled}
    prices = {one.index: market.spots[one.underlying] for one in LISTINGS}

    bounds = replayed(leaf, units, before, after, links, prices)
    exact = margin_of(after, market)

    assert bounds.maintenance <= exact.maintenance
    assert bounds.initial <= exact.initial <= bounds.added
    assert 0 <= bounds.mark - exact.mark <= 2 * len(links)


@given(books, coins, markets_after_an_expiry, st.sampled_from(["fill", "collateral", "settle"]))
def test_replay__one_link_left_out__leads_nowhere(positions, held, market, kind):
    before = Account("owner", positions=positions, collateral=held)
    change = {"fill": (INSTRUMENTS[0], WAD, 2_000 * USD), "collateral": 1, "settle": "settle"}
    after, links = changed(before, market, change[kind])
    assume(links)

    with pytest.raises(ClaimError, match="do not lead"):
        claims.replay(before.book_hash, after.book_hash, links[1:])


# The real methodology

UNIVERSE = sorted(
    [
        *(perp(u) for u in (1, 2)),
        *(future(u, 30) for u in (1, 2)),
        *(option(2, d, k, kind) for d in (1, 30) for k in (1_600, 2_000) for kind in (Kind.CALL, Kind.PUT)),
        *(option(1, 30, k, kind) for k in (70_000, 90_000) for kind in (Kind.CALL, Kind.PUT)),
    ]
)
METHODOLOGY = Methodology.default()
TABLE = build_table(flat_market(), METHODOLOGY, UNIVERSE)
UNITS = {
    u.instrument: InstrumentLeaf(u.instrument, u.mark, u.im_long, u.mm_long, u.im_short, u.mm_short)
    for u in unit_margins(TABLE, UNIVERSE)
}
# in which profits and losses are rounded and summed, WAD
QUANTUM = METHODOLOGY.quantum_e8 * PRICE_UNIT

small = st.integers(-(10**10), 10**10).filter(bool).map(lambda n: n * 10**10)
real_books = st.dictionaries(st.sampled_from(UNIVERSE), small, max_size=5)
real_trades = st.tuples(st.sampled_from(UNIVERSE), small, st.integers(0, 6_000 * USD))
real_changes = st.lists(st.one_of(real_trades, moves_of_coins), min_size=1, max_size=6)


def real_margin(account):
    legs = [Leg(i, q) for i, q in sorted(account.positions.items())]
    held = [
        Collateral(one.index, one.underlying, one.initial_haircut, one.maintenance_haircut, amount)
        for one in LISTINGS
        if (amount := account.collateral.get(one.index, 0))
    ]
    return account_margin(legs, TABLE, 0, held)


def real_leaf(account):
    margin = real_margin(account)
    zero = MarginLeaf(1, 0, 0, account.book_hash, 0, 0, 0, 0, 0, 0, 0, bytes(32))
    return replace(
        zero,
        mark_to_market=margin.mark,
        mark_posted=margin.mark,
        initial_margin=margin.initial,
        maintenance_margin=margin.maintenance,
        maintenance_posted=margin.maintenance,
        marginal=margin.marginal,
        max_added_im=margin.max_added,
    )


@settings(max_examples=60)
@given(real_books, coins, real_changes)
def test_replay__any_changes__bounds_the_margins_of_the_methodology(positions, held, sequence):
    before = Account("owner", positions=positions, collateral=held)
    after, links = _after_all_real(before, sequence)
    prices = {one.index: SPOTS[one.underlying] * USD for one in LISTINGS}
    leaf = real_leaf(before)

    try:
        bounds = replayed(leaf, UNITS, before, after, links, prices)
    except ClaimError as error:
        assert "reach" in str(error)
        return
    multiple = 1 + leaf.marginal // WAD
    exact, slack = real_margin(after), 4 * QUANTUM * (len(positions) + len(links) + 8) * multiple

    assert bounds.maintenance <= exact.maintenance + slack
    assert bounds.initial <= exact.initial + slack
    assert exact.initial <= bounds.added + slack
    assert abs(bounds.mark - exact.mark) <= slack


def _after_all_real(account, sequence):
    links = []
    for change in sequence:
        if isinstance(change, tuple):
            packed, quantity, price8 = change
            unit = UNITS[packed]
            margin = InstrumentMargin(unit.mark, unit.im_long, unit.im_short)
            account = accounts.filled(account, Fill(packed, quantity, price8 * PRICE_UNIT, 0, margin))
            links.append(Change(c.CHANGE_FILL, packed, quantity, price8 * PRICE_UNIT))
        else:
            account, more = changed(account, None, change)
            links += more
    return account, links
