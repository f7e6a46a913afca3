"""The scan charge by hand on linear books: ranges 16 % of 80000 and 18 % of 2000."""

import pytest

from keeper.markets.instrument import Leg
from keeper.risk.book import book_of
from keeper.risk.scan_charge import scan_charge, scan_detail
from keeper.risk.table import build_table
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, perp
from tests.support.round_methodology import round_methodology

TABLE = build_table(flat_market(), round_methodology(), [])


def charge(*legs: Leg) -> float:
    return scan_charge(book_of(legs, TABLE), TABLE) / 1e6


def test_scan_charge__one_perp__its_range() -> None:
    assert charge(Leg(perp(1), WAD)) == pytest.approx(12_800)
    assert charge(Leg(perp(1), -WAD)) == pytest.approx(12_800)


def test_scan_charge__gain_of_the_same_group__counts_sixty_percent() -> None:
    # 12800 - .6 * 10 * 360
    assert charge(Leg(perp(1), -WAD), Leg(perp(2), 10 * WAD)) == pytest.approx(10_640)


def test_scan_charge__gain_of_another_group__does_not_count() -> None:
    # SOL: 25 % of 100
    assert charge(Leg(perp(1), -WAD), Leg(perp(3), WAD)) == pytest.approx(12_825)


def test_scan_detail__short_perp__the_highest_node_of_the_grid() -> None:
    legs = [Leg(perp(1), -WAD)]
    (detail,) = scan_detail(book_of(legs, TABLE), legs, TABLE)
    # at the edge of the grid a linear book loses the same in every state of the vols: the first counts
    assert detail["scenario"] == "grid +10/10 vol up"
    assert detail["loss"] == str(12_800 * 10**6)
    assert detail["legs"] == {str(perp(1)): str(-12_800 * 10**6)}
