"""The pass bound against the exact margin: random books, random fills, good and bad prices."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing import account as accounts
from keeper.clearing import book_hash as hashes
from keeper.clearing import headroom
from keeper.clearing.account import Account, Fill, InstrumentMargin, Record
from keeper.markets.instrument import Instrument, Kind
from tests.stateful import margins

WAD = 10**18
USD = 10**8
EXPIRIES = (1_743_552_000, 1_746_144_000)
INSTRUMENTS = sorted(
    [Instrument(u, 0, 0, Kind.PERP).pack() for u in (1, 2)]
    + [Instrument(u, e, 0, Kind.FUTURE).pack() for u in (1, 2) for e in EXPIRIES]
    + [
        Instrument(u, e, k * USD, kind).pack()
        for u in (1, 2)
        for e in EXPIRIES
        for k in (1_200, 2_000, 2_800)
        for kind in (Kind.CALL, Kind.PUT)
    ]
)

spots = st.integers(100 * USD, 5_000 * USD)
markets = st.builds(lambda a, b: margins.Market({1: a, 2: b}, {}), spots, spots)
quantities = st.integers(-(10**10), 10**10).filter(bool).map(lambda n: n * 10**10)
books = st.dictionaries(st.sampled_from(INSTRUMENTS), quantities, max_size=6)
fills = st.lists(
    st.tuples(st.sampled_from(INSTRUMENTS), quantities, st.integers(0, 6_000 * USD)), min_size=1, max_size=12
)


def recorded(positions, market):
    """An account whose record was just taken."""
    margin = margins.book_margin(positions, market)
    record = Record(
        epoch=1,
        marginal=WAD,
        initial_margin=margin.initial,
        maintenance_margin=margin.maintenance,
        mark_base=margin.mark,
        max_added_im=2**127,
    )
    return Account("maker", positions=positions, record=record)


def filled(account, market, sequence):
    for packed, quantity, price8 in sequence:
        instrument = Instrument.unpack(packed)
        margin = InstrumentMargin(margins.mark(instrument, market), *margins.unit_margins(instrument, market))
        account = accounts.filled(account, Fill(packed, quantity, price8 * 10**10, 0, margin))
    return account


@given(books, markets, fills)
def test_required_margin__any_fills__is_at_least_the_exact_margin(positions, market, sequence):
    after = filled(recorded(positions, market), market, sequence)

    assert headroom.holds(after, EXPIRIES[0] - 1)
    assert margins.book_margin(after.positions, market).initial <= headroom.required_margin(after)


@given(books, markets, fills)
def test_equity__any_fills__is_at_most_the_exact_equity(positions, market, sequence):
    after = filled(recorded(positions, market), market, sequence)
    exact = after.cash + margins.book_margin(after.positions, market).mark

    assert headroom.equity(after) <= exact


@given(books, markets, fills)
def test_statement_taken_again__any_fills__is_never_looser_than_needed(positions, market, sequence):
    """A fresh record passes whatever the old one passed: nobody loses by being attested again."""
    after = filled(recorded(positions, market), market, sequence)
    fresh = recorded(after.positions, market).record
    again = replace(
        after,
        record=replace(
            fresh,
            added_im=after.added_im,
            mark_base=fresh.mark_base - after.added_mark,
            changes=hashes.changes(after.book_hash),
        ),
    )
    slack = headroom.equity(again) - headroom.required_margin(again)

    assert slack >= headroom.equity(after) - headroom.required_margin(after)


@given(books, books, markets)
def test_margin_of_the_tests__two_books__is_subadditive(one, other, market):
    both = {i: one.get(i, 0) + other.get(i, 0) for i in {*one, *other}}
    total = margins.book_margin(one, market).initial + margins.book_margin(other, market).initial

    assert margins.book_margin(both, market).initial <= total
