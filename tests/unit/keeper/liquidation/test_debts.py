"""Debts of accounts: when they bear interest, and what leaves room for more."""

from keeper.liquidation.debts import Caps, Debt, drawn, interest, limit, noted, parts, room
from keeper.units.constants import SECONDS_PER_YEAR, WAD

TENTH = WAD // 10


def test_interest__a_year__is_the_rate():
    assert interest(2_000 * WAD, 3_000 * WAD, TENTH, SECONDS_PER_YEAR) == 200 * WAD
    assert interest(2_000 * WAD, 500 * WAD, TENTH, SECONDS_PER_YEAR) == 50 * WAD
    assert interest(1, 1, 1, 1) == 1  # up


def test_noted__interest__is_owed_too():
    first, nothing = noted(Debt(), -1_000 * WAD, TENTH, 100)
    assert (first, nothing) == (Debt(1_000 * WAD, 1_000 * WAD, 100), 0)

    later, charged = noted(first, -1_000 * WAD, TENTH, 100 + SECONDS_PER_YEAR)

    assert charged == 100 * WAD
    assert later == Debt(1_100 * WAD, 1_100 * WAD, 100 + SECONDS_PER_YEAR)
    assert noted(later, 0, TENTH, 2 * SECONDS_PER_YEAR) == (Debt(), 0)


def test_drawn__less_than_known__changes_nothing():
    debt = drawn(Debt(5, 5, 7), 9)
    assert debt == Debt(5, 9, 7)
    assert drawn(debt, 8) == debt


def test_room__caps__the_least_holds():
    caps = Caps(share=5_000, account=700, total=1_000)
    assert room(1_000 * WAD, caps, 0) == 500
    assert room(2_000 * WAD, caps, 0) == 700
    assert room(2_000 * WAD, caps, 900) == 100
    assert room(2_000 * WAD, caps, 1_001) == 0
    assert room(2 * WAD - 1, Caps(10_000, 9, 9), 0) == 1
    assert room(2_000 * WAD, Caps(), 0) == 0


def test_limit__all_rooms__within_the_cap_of_all():
    assert limit([3, 4], 10 * WAD, 0) == 7 * WAD
    assert limit([3, 4], 10 * WAD, 5 * WAD + 1) == 5 * WAD - 1
    assert limit([3, 4], 10 * WAD, 11 * WAD) == 0


def test_parts__debt__fills_rooms_in_order():
    assert parts([3, 4, 5], 4 * WAD + 1) == (3, 2, 0)
    assert parts([3, 4, 5], 100 * WAD) == (3, 4, 5)
    assert parts([3, 4, 5], 0) == (0, 0, 0)
