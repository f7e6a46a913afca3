"""The running hash: order matters, the counters say how far apart two of them are."""

import pytest

from keeper.clearing import book_hash as hashes
from keeper.units.constants import (
    CHANGE_AUCTION,
    CHANGE_COLLATERAL,
    CHANGE_CONVERSION,
    CHANGE_FILL,
    CHANGE_PURCHASE,
    CHANGE_SETTLEMENT,
    CHANGE_UNCOUNTED_FILL,
    CHANGE_WITHDRAWAL,
)

OTHERS = [CHANGE_UNCOUNTED_FILL, CHANGE_SETTLEMENT, CHANGE_CONVERSION, CHANGE_AUCTION, CHANGE_WITHDRAWAL]


@pytest.mark.parametrize("kind", [CHANGE_FILL, CHANGE_COLLATERAL, CHANGE_PURCHASE])
def test_fold__what_a_record_outlives__counts_one_fill(kind):
    assert hashes.changes(hashes.fold(hashes.EMPTY, kind, 1, 2, 3)) == 1


@pytest.mark.parametrize("kind", OTHERS)
def test_fold__other_change__counts_one_other(kind):
    assert hashes.others(hashes.fold(hashes.EMPTY, kind, 1, 2, 3)) == 1


def test_fold__two_orders__differ():
    one = hashes.fold(hashes.fold(hashes.EMPTY, CHANGE_FILL, 1, 2, 3), CHANGE_FILL, 4, 5, 6)
    other = hashes.fold(hashes.fold(hashes.EMPTY, CHANGE_FILL, 4, 5, 6), CHANGE_FILL, 1, 2, 3)

    assert one != other
    assert hashes.changes(one) == hashes.changes(other) == 2


def test_fold__fill_there_and_back__is_not_the_empty_book():
    there = hashes.fold(hashes.EMPTY, CHANGE_FILL, 1, 2, 3)

    assert hashes.fold(there, CHANGE_FILL, 1, -2, 3) != hashes.EMPTY


def test_fold__counter_full__wraps_without_touching_the_other():
    full = (2**24 - 1).to_bytes(32, "big")

    assert hashes.changes(hashes.fold(full, CHANGE_FILL, 1, 2, 3)) == 0


def test_fills_between__wrapped__counts_modulo():
    assert hashes.fills_between(2**24 - 1, 1) == 2


def test_fills_between__another_change__is_none():
    assert hashes.fills_between(0, 1 << 24) is None
