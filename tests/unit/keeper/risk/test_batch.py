"""Margins of many accounts against those of one account at a time: equal in every number.

BOOKS_CAMPAIGN=25 compares all of the random books, a quick run every 25th.
"""

import os
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.markets.instrument import Kind, Leg
from keeper.risk.batch import batch_margins
from keeper.risk.batch_margins import BatchMargins
from keeper.risk.batch_table import BatchTable, batch_table
from keeper.risk.books import books_of
from keeper.risk.margin import account_margin, build_table
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from tests.support.random_books import NOW, random_books, smile_market, universe

METHODOLOGY = Methodology.default()
STEP = max(1, 25 // int(os.environ.get("BOOKS_CAMPAIGN", "1")))
NAMES = [name for name, _ in METHODOLOGY.correlation_sets]


@cache
def table(concentrated_usd: int = 0) -> BatchTable:
    """Of the default methodology, or of one where positions are concentrated from so many USD per 1 %."""
    methodology = METHODOLOGY
    if concentrated_usd:
        spots = [replace(u.spot, threshold_usd=concentrated_usd) for u in methodology.underlyings]
        listed = zip(methodology.underlyings, spots, strict=True)
        underlyings = tuple(replace(u, spot=spot) for u, spot in listed)
        methodology = replace(methodology, underlyings=underlyings)
    market = smile_market()
    return batch_table(build_table(market, methodology, universe(market)))


def row(packed: int) -> int:
    return table().source.units[packed].line


def assert_equal(found: BatchMargins, account: int, tier: int = 0) -> None:
    """Every number of one account, charges and binding scenarios included."""
    exact = account_margin(found.legs(account), found.table.source, tier)
    detail = exact.breakdown
    assert found.mark[account] == exact.mark
    assert found.initial[account] == exact.initial
    assert found.maintenance[account] == exact.maintenance
    assert greeks_of(found, account) == detail["greeks"]
    assert str(found.shortfall[account]) == detail["shortfall"]["charge"]
    assert str(found.shortfalls.value_at_risk[account]) == detail["shortfall"]["value_at_risk"]
    assert found.greeks.roll[account] == sum(int(charge) for charge in detail["roll"].values())
    assert addons_of(found, account) == detail["addons"]
    assert str(found.addons.liquidity[account]) == detail["liquidity"]["charge"]
    assert str(found.levels.size.at(account)) == detail["size"]
    assert (int(found.levels.marginal[account]), found.levels.max_added.at(account)) == (
        exact.marginal,
        exact.max_added,
    )
    assert scans_of(found, account) == [
        (s["loss"], s["scenario"], {u: p for u, p in s["underlyings"].items() if p != "0"})
        for s in detail["scan"]
    ]


def greeks_of(found: BatchMargins, account: int) -> dict[str, str]:
    greeks = found.greeks
    names = ("delta", "vega", "curvature", "theta", "concentration")
    return {
        "charge": str(greeks.total[account]),
        "correlation_set": NAMES[greeks.worst_set[account]],
        **{name: str(getattr(greeks, name)[account]) for name in names},
    }


def addons_of(found: BatchMargins, account: int) -> dict[str, str]:
    names = {"naked_shorts": "naked", "perps": "perps", "confidence": "confidence"}
    return {name: str(getattr(found.addons, field)[account]) for name, field in names.items()}


def scans_of(found: BatchMargins, account: int) -> list[tuple[str, str, dict[str, str]]]:
    """By group: loss, binding scenario, and what each underlying loses or gains in it."""
    groups = found.table.source.groups
    result = []
    for index, key in enumerate(found.table.groups):
        column = found.scan.column[account, index]
        if column < 0:
            continue
        members = {u.underlying for u in found.table.source.units.values() if u.group == key}
        profits = zip(found.table.underlyings, found.scan.profit[account].tolist(), strict=True)
        parts = {str(u): str(profit) for u, profit in profits if u in members and profit}
        result.append((str(found.scan.loss[account, index]), groups[key].scenarios[column].name, parts))
    return result


def assert_all_equal(found: BatchMargins, accounts: range) -> None:
    for account in accounts:
        assert_equal(found, account)


@pytest.mark.parametrize(("concentrated_usd", "most_coins"), [(0, 1e3), (0, 1e5), (20_000, 1e3)])
def test_batch_margins__random_books__equal_one_at_a_time(concentrated_usd: int, most_coins: float) -> None:
    arrays = table(concentrated_usd)
    books = random_books(len(arrays.instruments), 10_000, 10, seed=1, most_coins=most_coins)

    found = batch_margins(arrays, books)

    # positions of billions of USD, in the second case
    assert len(found.recomputed) < 1_000
    assert (found.greeks.concentration > 0).sum() > 100 or not concentrated_usd
    assert_all_equal(found, range(0, len(books), STEP))


legs = st.dictionaries(
    st.sampled_from(sorted(table().instruments)),
    st.one_of(*(st.integers(-(10**size), 10**size).filter(bool) for size in (2, 11, 13))),
    max_size=12,
).map(lambda book: [Leg(i, q * 10**10) for i, q in sorted(book.items())])


@settings(deadline=None, max_examples=60)
@given(st.lists(legs, min_size=1, max_size=4))
def test_batch_margins__any_books__equal_one_at_a_time(accounts: list[list[Leg]]) -> None:
    found = batch_margins(table(), books_of(accounts, table().source))

    assert_all_equal(found, range(len(accounts)))


def test_batch_margins__threads_and_blocks__change_nothing() -> None:
    books = random_books(len(table().instruments), 3_000, 8, seed=2)

    one, two = (batch_margins(table(), books, threads=threads) for threads in (1, 2))

    assert (one.initial == two.initial).all()
    assert (one.scan.column == two.scan.column).all()


def test_batch_margins__without_detail__same_margins() -> None:
    books = random_books(len(table().instruments), 100, 8, seed=3)

    found, full = batch_margins(table(), books, detail=False), batch_margins(table(), books)

    assert found.scan.column.shape == (100, 0)
    assert (found.maintenance == full.maintenance).all()


def test_batch_margins__tiers__multiply_as_for_one_account() -> None:
    books = random_books(len(table().instruments), 40, 8, seed=4)
    tiers = [account % 4 for account in range(40)]

    found = batch_margins(table(), books, tiers)

    for account, tier in enumerate(tiers):
        assert_equal(found, account, tier)


def test_batch_margins__unknown_tier__refused() -> None:
    books = random_books(len(table().instruments), 2, 3, seed=5)
    with pytest.raises(ValueError, match="methodology: no credit tier 9"):
        batch_margins(table(), books, [0, 9])
    with pytest.raises(ValueError, match="one credit tier per account"):
        batch_margins(table(), books, [0])


def test_batch_margins__no_accounts__empty() -> None:
    found = batch_margins(table(), books_of([], table().source))
    assert (len(found), found.initial.tolist(), found.mark.tolist()) == (0, [], [])


def test_batch_margins__positions_beyond_exact_doubles__recomputed() -> None:
    perp = table().instruments[row(1 << 112)]
    # 4 billion USD of BTC
    books = books_of([[Leg(perp, 50_000 * WAD)], [Leg(perp, WAD)]], table().source)

    found = batch_margins(table(), books)

    assert found.recomputed == [0]
    assert_all_equal(found, range(2))


def test_batch_margins__profit_does_not_fit__overflow() -> None:
    books = books_of([[Leg(1 << 112, 10**9 * WAD)]], table().source)
    with pytest.raises(OverflowError, match="saturates"):
        batch_margins(table(), books)


def test_batch_margins__synthetic_forward__mark_recomputed_and_equal() -> None:
    expiry = NOW + 30 * 86_400
    strike = 80_000 * 10**8
    call = next(i for i in table().instruments if i == 1 << 112 | expiry << 72 | strike << 8 | Kind.CALL)
    put = call - Kind.CALL + Kind.PUT
    books = books_of([[Leg(call, WAD), Leg(put, -WAD)], [Leg(call, WAD)]], table().source)

    found = batch_margins(table(), books)

    # long call and short put are worth forward less strike, and nothing else: the bracket is a point
    assert found.valued.undecided.tolist() == [True, False]
    assert found.mark[0] == (80_240 - 80_000) * WAD
    assert_all_equal(found, range(2))


def test_explain__one_account__its_own_breakdown() -> None:
    books = random_books(len(table().instruments), 5, 8, seed=6)
    found = batch_margins(table(), books)
    assert found.explain(3).initial == found.initial[3]


def test_binding__one_account__charges_and_scenarios() -> None:
    # a short perp loses most where the grid ends
    loss = 80_000 * METHODOLOGY.spot(1).range_ppm
    found = batch_margins(table(), books_of([[Leg(1 << 112, -WAD)]], table().source))

    binding: dict[str, Any] = found.binding(0)

    assert binding["scan"] == loss
    assert binding["scenarios"] == {1: "grid +10/10 vol up"}
    assert binding["underlyings"] == {1: -loss}
