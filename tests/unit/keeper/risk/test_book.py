"""Sums over legs: coins beside a book are one more perp leg, and what does not fit is refused."""

import numpy as np
import pytest

from keeper.markets.instrument import Kind, Leg
from keeper.risk.book import Book, book_of, whole, with_spot
from keeper.risk.methodology import Methodology
from keeper.risk.table import build_table
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, option, perp

CALL, PUT = (option(2, 30, 2_000, kind) for kind in (Kind.CALL, Kind.PUT))
TABLE = build_table(flat_market(), Methodology.default(), [CALL, PUT])


def same(first: Book, second: Book) -> bool:
    return {u: vars(e) for u, e in first.exposures.items()} == {
        u: vars(e) for u, e in second.exposures.items()
    } and all(
        np.array_equal(profit, second.profits[group][u])
        for group, profits in first.profits.items()
        for u, profit in profits.items()
    )


def test_book_of__any_order_of_legs__same_sums() -> None:
    legs = [Leg(CALL, 3 * WAD), Leg(PUT, -WAD), Leg(perp(1), WAD), Leg(perp(2), -WAD // 3)]
    assert same(book_of(legs, TABLE), book_of(legs[::-1], TABLE))


def test_book_of__two_options_of_an_expiry__summed_in_quanta() -> None:
    exposure = book_of([Leg(CALL, 2 * WAD), Leg(PUT, 2 * WAD)], TABLE).exposures[2]
    # 2 * (1068.5394 - 931.4606) USD in quanta of 1e-6
    assert exposure.delta[1] == pytest.approx(274_157_600, abs=1_000)
    assert set(exposure.vega) == {(1, 1)}
    assert exposure.theta == pytest.approx(4 * -2_279_020, abs=1_000)


def test_with_spot__coins__as_a_perp_leg() -> None:
    legs = [Leg(CALL, -WAD), Leg(perp(1), WAD)]
    assert same(with_spot(book_of(legs, TABLE), 2, WAD, TABLE), book_of([*legs, Leg(perp(2), WAD)], TABLE))


def test_with_spot__the_book_itself__is_left_alone() -> None:
    book = book_of([Leg(perp(2), -WAD)], TABLE)
    with_spot(book, 2, WAD, TABLE)
    assert book.exposures[2].delta == {0: -2_000 * 10**6}


def test_whole__too_large_or_not_a_number__overflow() -> None:
    for value in (2.0**55, -np.inf, np.nan):
        with pytest.raises(OverflowError, match="margin: profit and loss saturates"):
            whole(np.array([0.0, value]))
