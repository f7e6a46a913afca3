"""The size add-on by hand: tiers at 5M, 25M and 100M USD of core margin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.risk.methodology import Methodology
from keeper.risk.sizes import size_charge, size_room, size_slope
from keeper.units.constants import WAD

METHODOLOGY = Methodology.default()
MILLION = 10**6 * WAD


@pytest.mark.parametrize(
    ("core", "charge"), [(0, 0), (5, 0), (15, 1), (25, 2), (65, 12), (100, 20.75), (300, 120.75)]
)
def test_size_charge__any_core__marginal_tiers(core: int, charge: float) -> None:
    assert size_charge(core * MILLION, METHODOLOGY) == round(charge * 100) * MILLION // 100


@pytest.mark.parametrize(("core", "slope"), [(0, 0), (5, 0), (6, 100_000), (25, 100_000), (101, 500_000)])
def test_size_slope__at_a_boundary__the_lower(core: int, slope: int) -> None:
    assert size_slope(core * MILLION, METHODOLOGY) == slope


@pytest.mark.parametrize(("core", "room"), [(0, 5), (1, 4), (4.9, 1.25), (6, 19), (24, 6), (90, 22.5)])
def test_size_room__any_core__to_the_next_tier_or_the_reach(core: float, room: float) -> None:
    assert size_room(round(core * 100) * MILLION // 100, METHODOLOGY) == round(room * 100) * MILLION // 100


def test_size_room__last_tier__no_limit_of_its_own() -> None:
    assert size_room(200 * MILLION, METHODOLOGY) == METHODOLOGY.max_added_im


@given(st.integers(0, 300 * MILLION), st.fractions(0, 1))
def test_size_charge__within_the_room__bounded_by_the_slope(core: int, share: float) -> None:
    room = min(size_room(core, METHODOLOGY), 300 * MILLION)
    more = int(room * share)
    grown = size_charge(core + more, METHODOLOGY) - size_charge(core, METHODOLOGY)
    assert grown * 10**6 <= size_slope(core + room, METHODOLOGY) * more + 2 * 10**6
