"""The liquidity add-on: by hand, and the bound on its growth that unit margins state."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.risk.addons import LINEAR
from keeper.risk.liquidity import (
    bucket_charge,
    liquidity_charge,
    liquidity_detail,
    steepest_charge,
    steepest_ppm,
)
from keeper.risk.methodology import Methodology

METHODOLOGY = Methodology.default()
PERPS, OPTIONS = (2, 0, LINEAR), (2, 3, 1)
# ETH: .0004 and .0034 of 12M USD, in quanta of 1e-6 USD
LINEAR_DEPTH, OPTION_DEPTH = 4_800 * 10**6, 40_800 * 10**6

costs = st.integers(0, 10**14)
books = st.dictionaries(st.sampled_from([PERPS, OPTIONS, (1, 0, LINEAR), (9, 1, 2)]), costs)


@pytest.mark.parametrize(("bucket", "depth"), [(PERPS, LINEAR_DEPTH), (OPTIONS, OPTION_DEPTH)])
def test_bucket_charge__below_the_cap__root_of_the_share_of_the_depth(
    bucket: tuple[int, int, int], depth: int
) -> None:
    cost = depth // 400
    assert bucket_charge(bucket, cost, METHODOLOGY) == pytest.approx(cost * 1.05, rel=1e-8)


def test_bucket_charge__at_the_depth__no_more_than_the_cap() -> None:
    assert bucket_charge(PERPS, LINEAR_DEPTH, METHODOLOGY) == LINEAR_DEPTH * 11 // 10


def test_bucket_charge__nothing__nothing() -> None:
    assert bucket_charge(PERPS, 0, METHODOLOGY) == 0


def test_liquidity_charge__buckets__add_up() -> None:
    spreads = {PERPS: LINEAR_DEPTH // 100, OPTIONS: OPTION_DEPTH // 100}
    assert liquidity_charge(spreads, METHODOLOGY) == sum(
        bucket_charge(b, c, METHODOLOGY) for b, c in spreads.items()
    )
    detail = liquidity_detail(spreads, METHODOLOGY)
    assert int(detail["charge"]) == int(detail["underlyings"]["2"])


def test_steepest__cap_of_a_tenth__three_twentieths_more() -> None:
    assert steepest_ppm(METHODOLOGY) == 1_150_000
    # attained just below the cap: d/dh (h + h**1.5 / sqrt(d)) at h = d / 100
    h, step = LINEAR_DEPTH / 100, 1_000.0
    slope = ((h**1.5) - ((h - step) ** 1.5)) / sqrt(LINEAR_DEPTH) / step + 1
    assert slope == pytest.approx(1.15, abs=1e-5)


@given(books, books)
def test_liquidity_charge__additions__at_most_their_steepest(
    held: dict[tuple[int, int, int], int], more: dict[tuple[int, int, int], int]
) -> None:
    both = {b: held.get(b, 0) + more.get(b, 0) for b in {*held, *more}}
    grown = liquidity_charge(both, METHODOLOGY) - liquidity_charge(held, METHODOLOGY)
    # the root is rounded up to nine decimals
    slack = 4 + sum(both.values()) // 10**9
    assert sum(more.values()) <= grown + slack
    assert grown <= steepest_charge(more, METHODOLOGY) + slack


@given(books, st.integers(1, 9))
def test_liquidity_charge__share_of_a_book__at_most_its_share(
    held: dict[tuple[int, int, int], int], tenths: int
) -> None:
    part = {b: c * tenths // 10 for b, c in held.items()}
    slack = 8 + sum(held.values()) // 10**9
    assert (
        liquidity_charge(part, METHODOLOGY) * 10 <= liquidity_charge(held, METHODOLOGY) * tenths + 10 * slack
    )
