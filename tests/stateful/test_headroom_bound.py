"""The pass bound against the exact margin: random books, random fills, good and bad prices."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing import book_hash as hashes
from keeper.clearing import headroom
from keeper.clearing import share as shares
from keeper.clearing.account import Account, collateral_deposited
from keeper.clearing.collateral import value_of
from keeper.clearing.share import Share
from keeper.units.fixed_point import mul_up, signed_mul_down
from tests.stateful import margins
from tests.stateful.books import EXPIRIES, WAD, books, coins, filled, fills, markets, recorded
from tests.stateful.deployment import LISTINGS
from tests.stateful.epochs import margin_of

fractions = st.integers(1, WAD)


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


@given(books, coins, books, coins, markets, fractions, st.integers(-(10**22), 10**22))
def test_required_margin__share_bought_and_collateral_put_in__is_at_least_the_exact_margin(
    positions, held, sold, pledged, market, fraction, cash
):
    """Only what cannot be divided, 1e-8 of a unit per leg, is not in the bound."""
    seller = Account("seller", cash=cash, positions=sold, collateral=pledged)
    buyer = collateral_deposited(recorded(positions, market, held), 1, WAD)
    exact = margin_of(seller, market)
    moved = shares.collateral_moved(pledged, fraction)
    share = Share(
        seller=1,
        buyer=2,
        fraction=fraction,
        price=0,
        payout=0,
        initial_margin=mul_up(exact.initial, fraction),
        mark=signed_mul_down(exact.mark, fraction),
        linear=0,
        earliest=EXPIRIES[0],
        collateral=value_of(moved, LISTINGS, market.spots).full,
    )

    after = shares.bought(buyer, seller, share)
    dust = (len(sold) + 1) * (max(market.spots.values()) * 10**10 * 10**10 // WAD + 10)

    assert headroom.holds(after, EXPIRIES[0] - 1)
    assert margin_of(after, market).initial <= headroom.required_margin(after) + dust
    assert (
        after.added_mark
        <= margins.book_margin(after.positions, market).mark
        - (margins.book_margin(positions, market).mark)
        + dust
    )
