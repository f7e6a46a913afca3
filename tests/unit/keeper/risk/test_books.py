import numpy as np
import pytest

from keeper.markets.instrument import Leg
from keeper.risk.books import Books, books_of
from keeper.risk.margin import build_table
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, perp
from tests.support.random_books import merged

TABLE = build_table(flat_market(), Methodology.default(), [])
ROWS = {packed: unit.line for packed, unit in TABLE.units.items()}
INSTRUMENTS = [packed for packed, _ in sorted(ROWS.items(), key=lambda item: item[1])]


def test_books_of__legs_in_any_order__ascending_rows_of_each_account() -> None:
    accounts = [[Leg(perp(3), 3 * WAD), Leg(perp(1), -WAD)], [], [Leg(perp(2), WAD // 2)]]

    books = books_of(accounts, TABLE)

    assert len(books) == 3
    assert books.indptr.tolist() == [0, 2, 2, 3]
    assert books.quantities[2] == 5 * 10**7
    assert [books.legs(account, INSTRUMENTS) for account in range(3)] == [sorted(a) for a in accounts]


def test_books_of__unknown_instrument__refused() -> None:
    with pytest.raises(LookupError, match="is not in the table"):
        books_of([[Leg(perp(7), WAD)]], TABLE)


def test_books_of__instrument_twice__refused() -> None:
    with pytest.raises(ValueError, match="repeat an instrument"):
        books_of([[Leg(perp(1), WAD), Leg(perp(1), WAD)]], TABLE)


def test_books_of__same_instrument_in_two_accounts__taken() -> None:
    assert len(books_of([[Leg(perp(1), WAD)], [], [Leg(perp(1), WAD)]], TABLE)) == 3


def test_books_of__part_of_the_least_coin__refused() -> None:
    with pytest.raises(ValueError, match="no multiple of 1e-8 coins"):
        books_of([[Leg(perp(1), WAD + 1)]], TABLE)


def test_books_of__quantity_beyond_63_bits__overflow() -> None:
    with pytest.raises(OverflowError):
        books_of([[Leg(perp(1), 10**12 * WAD)]], TABLE)


@pytest.mark.parametrize("rows", [[1, 1], [2, 1]])
def test_books__rows_not_ascending__refused(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="not ascending by row"):
        Books(np.array([0, 2]), np.array(rows, dtype=np.int32), np.array([1, 1]))


def test_merged__two_books__sums_without_what_cancels() -> None:
    one = books_of([[Leg(perp(1), WAD), Leg(perp(2), WAD)], [Leg(perp(3), WAD)]], TABLE)
    other = books_of([[Leg(perp(1), -WAD), Leg(perp(2), WAD)], []], TABLE)

    books = merged(one, other, len(INSTRUMENTS))

    assert books.legs(0, INSTRUMENTS) == [Leg(perp(2), 2 * WAD)]
    assert books.legs(1, INSTRUMENTS) == [Leg(perp(3), WAD)]
