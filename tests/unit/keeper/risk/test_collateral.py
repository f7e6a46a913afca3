"""Collateral in the margin: a covered call by hand, and what headroom and auctions rest on.

Flat market: ETH 2000, vol .60; haircuts 10 % initial, 5 % maintenance unless said.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.markets.instrument import Kind, Leg
from keeper.risk.book import book_of, with_spot
from keeper.risk.collateral import Collateral
from keeper.risk.core import core_of
from keeper.risk.levels import levels_of
from keeper.risk.margin import Margin, account_margin, build_table
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, future, option, perp
from tests.support.round_methodology import round_methodology

METHODOLOGY = round_methodology()
CALL = option(2, 30, 2_200, Kind.CALL)
UNIVERSE = sorted(
    [
        *(perp(u) for u in (1, 2, 3)),
        *(future(2, d) for d in (1, 30)),
        *(
            option(2, d, k, kind)
            for d in (1, 30)
            for k in (1_600, 2_000, 2_200)
            for kind in (Kind.CALL, Kind.PUT)
        ),
        *(option(1, 30, k, kind) for k in (70_000, 90_000) for kind in (Kind.CALL, Kind.PUT)),
    ]
)
TABLE = build_table(flat_market(), METHODOLOGY, UNIVERSE)
CENT = WAD // 100


def eth(coins: float, initial: int = 1_000, maintenance: int = 500, index: int = 1) -> Collateral:
    return Collateral(index, 2, initial, maintenance, round(coins * 10**8) * 10**10)


def btc(coins: float, initial: int = 1_000) -> Collateral:
    return Collateral(2, 1, initial, initial // 2, round(coins * 10**8) * 10**10)


def margin(legs: list[Leg], *collateral: Collateral, tier: int = 0) -> Margin:
    return account_margin(sorted(legs), TABLE, tier, collateral)


def pledged(found: Margin, which: str = "initial") -> list[float]:
    return [int(row[f"pledged_{which}"]) / WAD for row in found.breakdown["collateral"]]


# three perps: .0002 * 6000, and impact at a depth of .0004 * 12M USD
LIQUIDITY = 1.2 * (1 + (1.2 / 4_800) ** 0.5)


def test_margin__short_perp_covered_by_the_same_coins__nothing() -> None:
    # spot and perp cancel in every charge; the haircut given back only lowers a margin of zero
    found = margin([Leg(perp(2), -3 * WAD)], eth(3))
    assert (found.initial, found.maintenance) == (0, 0)
    assert found.mark == -3 * 2_000 * WAD


def test_margin__short_perp_half_covered__by_hand() -> None:
    # all 1.5 coins pledged: 1.5 coins short need .185 * 2000 each, less a haircut of 10 % of 3000; the coins
    # leave the perpetuals' add-on of .005 * 6000 and their liquidity as they are
    found = margin([Leg(perp(2), -3 * WAD)], eth(1.5))
    assert pledged(found) == [1.5]
    assert found.initial / WAD == pytest.approx(555 + 30 + LIQUIDITY - 300, abs=1e-4)
    # maintenance: .80 of it, half of the liquidity, less 5 %
    assert found.maintenance / WAD == pytest.approx(0.8 * 585 + LIQUIDITY / 2 - 150, abs=1e-4)


def test_margin__covered_call__less_than_naked_and_than_a_haircut() -> None:
    legs = [Leg(CALL, -10 * WAD)]
    naked, covered = margin(legs), margin(legs, eth(10))
    # naked: the tail of +500 % at weight .18 / 5 alone costs .036 * 10 * (12000 - 2200) less the premium
    assert naked.initial > 3_300 * WAD
    assert covered.initial < naked.initial // 4
    assert covered.maintenance < naked.maintenance // 3
    assert covered.mark == naked.mark
    # more needs to be put up against the call than its delta alone, as its loss is convex
    assert 0 < pledged(covered)[0] <= 10


def test_margin__long_delta__coins_change_nothing() -> None:
    for legs in ([Leg(perp(2), WAD)], [Leg(CALL, 2 * WAD)], [Leg(option(2, 30, 1_600, Kind.PUT), -WAD)]):
        found = margin(legs, eth(5))
        assert pledged(found) == [0.0]
        assert found.initial == margin(legs).initial


def test_margin__coins_of_another_group__change_nothing() -> None:
    legs = [Leg(perp(3), -100 * WAD)]
    assert margin(legs, eth(5)).initial == margin(legs).initial


def test_margin__passes_initially__passes_in_maintenance_too() -> None:
    # the smaller haircut gives less back, so maintenance margin may exceed initial margin: equity counts the
    # same coins with the smaller haircut and makes up for it
    found = margin([Leg(CALL, -10 * WAD)], eth(10))
    assert found.maintenance > found.initial
    assert found.maintenance - found.initial <= 10 * 2_000 * (1_000 - 500) * WAD // 10_000


def test_margin__no_legs__nothing_needed() -> None:
    found = margin([], eth(5), btc(1))
    assert (found.initial, found.maintenance, found.mark, pledged(found)) == (0, 0, 0, [0.0, 0.0])


def test_margin__two_tokens_of_one_underlying__larger_haircut_is_pledged_first() -> None:
    found = margin([Leg(perp(2), -3 * WAD)], eth(3, 100, 50), eth(2, 300, 50, index=2))
    assert pledged(found) == [pytest.approx(1.0, abs=1e-6), 2.0]


def test_margin__hedge_across_underlyings__both_tokens_pledged() -> None:
    legs = [Leg(perp(1), -WAD), Leg(perp(2), -10 * WAD)]
    found = margin(legs, eth(10, 100, 50), btc(1, 100))
    assert pledged(found) == [pytest.approx(10, rel=1e-6), pytest.approx(1, rel=1e-6)]
    assert found.initial == 0


def test_margin__tier_above_one__scales_before_the_haircut_comes_back() -> None:
    legs = [Leg(perp(2), -3 * WAD)]
    found = margin(legs, eth(1.5), tier=1)
    assert found.initial / WAD == pytest.approx(1.15 * 585 + LIQUIDITY - 300, abs=1e-4)


def test_collateral__unlisted_underlying__lookup_error() -> None:
    with pytest.raises(LookupError):
        margin([Leg(perp(2), -WAD)], Collateral(1, 9, 1_000, 500, WAD))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"index": 0}, "collateral: no token 0"),
        ({"maintenance_haircut": 1_001}, "collateral: bad haircut"),
        ({"initial_haircut": 10_001}, "collateral: bad haircut"),
        ({"amount": -1}, "collateral: negative amount"),
    ],
)
def test_collateral__malformed__refused(change: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replace(eth(1), **change)


books = st.dictionaries(
    st.sampled_from(UNIVERSE), st.integers(-5_000, 5_000).filter(bool), min_size=1, max_size=8
).map(lambda book: [Leg(i, q * 10**15) for i, q in sorted(book.items())])
coins = st.integers(0, 30_000).map(lambda c: c / 1_000)


def merged(first: list[Leg], second: list[Leg]) -> list[Leg]:
    total: dict[int, int] = {}
    for leg in first + second:
        total[leg.instrument] = total.get(leg.instrument, 0) + leg.quantity
    return [Leg(i, q) for i, q in sorted(total.items()) if q]


@settings(max_examples=60, deadline=None)
@given(books, coins)
def test_margin__any_amount__never_negative_nor_above_that_without(legs: list[Leg], amount: float) -> None:
    with_coins, without = margin(legs, eth(amount)), margin(legs)
    assert 0 <= with_coins.initial <= without.initial
    assert 0 <= with_coins.maintenance <= without.maintenance
    assert with_coins.mark == without.mark


@settings(max_examples=60, deadline=None)
@given(books, coins, coins)
def test_margin__more_coins__no_more_margin(legs: list[Leg], first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert margin(legs, eth(high)).initial <= margin(legs, eth(low)).initial + CENT


@settings(max_examples=60, deadline=None)
@given(books, books, coins)
def test_margin__trades_beside_coins__bounded_by_their_own_margin(
    held: list[Leg], trades: list[Leg], amount: float
) -> None:
    before, after = margin(held, eth(amount)), margin(merged(held, trades), eth(amount))
    alone = margin(trades)
    # what the impact of the trades' own half-spreads may add at most
    steeper = int(alone.breakdown["liquidity"]["half_spreads"]) * 150 // 1000 * 10**12
    assert after.initial <= before.initial + alone.initial + steeper + CENT
    assert after.maintenance <= before.maintenance + alone.maintenance + steeper + CENT


@settings(max_examples=60, deadline=None)
@given(books, coins, st.integers(1, 9))
def test_margin__share_of_everything__at_most_its_share(legs: list[Leg], amount: float, tenths: int) -> None:
    whole = margin(legs, eth(amount)).initial
    part = [replace(leg, quantity=leg.quantity * tenths // 10) for leg in legs]
    assert margin(part, eth(amount * tenths / 10)).initial <= whole * tenths // 10 + CENT


@settings(max_examples=30, deadline=None)
@given(books, coins)
def test_margin__every_amount_tried__none_needs_less(legs: list[Leg], amount: float) -> None:
    # pledging s by hand: the coins beside the book, the haircut given back
    book = book_of(legs, TABLE)
    levels = levels_of(book.addons, 10**6, TABLE.market, TABLE.methodology)
    found = margin(legs, eth(amount)).initial
    chooser = random.Random(7)
    for share in (0.0, 1.0, *(chooser.random() for _ in range(20))):
        s = round(amount * share * 10**8) * 10**10
        hedged = levels.initial(core_of(with_spot(book, 2, s, TABLE), TABLE).total)
        assert found <= max(0, hedged - s * 2_000 * 1_000 // 10_000) + CENT
