"""Levels: the formulas by hand, the depeg, and what the marginal multiplier is made of."""

from dataclasses import replace

import pytest

from keeper.risk.addons import LINEAR, Addons
from keeper.risk.concentration import Reach
from keeper.risk.levels import bound_of, depeg, levels_of, unit_levels
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market

METHODOLOGY = Methodology.default()
MARKET = flat_market()
# 48 USD of half-spreads at a depth of 4800 USD: L = 52.8 USD
ADDONS = Addons(0, 0, 0, {(2, 0, LINEAR): 48 * 10**6})
MILLION = 10**6 * WAD


def test_levels__plain__core_and_liquidity() -> None:
    levels = levels_of(ADDONS, 10**6, MARKET, METHODOLOGY)
    assert levels.initial(1_000 * WAD) == pytest.approx(1_052.8 * WAD, rel=1e-12)
    assert levels.maintenance(1_000 * WAD) == pytest.approx(826.4 * WAD, rel=1e-12)


def test_levels__low_multiplier__maintenance_keeps_its_share_of_the_core() -> None:
    levels = levels_of(ADDONS, 850_000, MARKET, METHODOLOGY)
    assert levels.initial(1_000 * WAD) == pytest.approx(902.8 * WAD, rel=1e-12)
    assert levels.maintenance(1_000 * WAD) == pytest.approx(826.4 * WAD, rel=1e-12)


def test_levels__liquidity_of_a_hedged_book__three_quarters_of_initial() -> None:
    levels = levels_of(ADDONS, 10**6, MARKET, METHODOLOGY)
    assert levels.maintenance(0) == pytest.approx(0.75 * 52.8 * WAD, rel=1e-12)


def test_levels__large_core__tiers_in_both() -> None:
    levels = levels_of(Addons(0, 0, 0, {}), 10**6, MARKET, METHODOLOGY)
    assert levels.initial(65 * MILLION) == 77 * MILLION
    assert levels.maintenance(65 * MILLION) == 77 * MILLION * 8 // 10


@pytest.mark.parametrize(("price", "ppm"), [(1.0, 0), (0.99, 0), (0.98, 40_000), (0.89, 400_000)])
def test_depeg__below_the_mark__four_times_what_is_missing(price: float, ppm: int) -> None:
    assert depeg(round(price * 10**8), METHODOLOGY) == ppm


def test_levels__depeg__raises_the_factor_of_initial_margin() -> None:
    market = replace(MARKET, settlement_price=98_000_000)
    levels = levels_of(ADDONS, 10**6, market, METHODOLOGY)
    assert levels.initial(1_000 * WAD) == pytest.approx(1_092.8 * WAD, rel=1e-12)


def test_unit_levels__any_unit__liquidity_at_its_steepest() -> None:
    assert unit_levels(ADDONS, MARKET, METHODOLOGY).liquidity == 552 * WAD // 10


def test_bound_of__small_account__liquidity_binds() -> None:
    found = bound_of(Reach(WAD, 10**27), [0], 10**6, METHODOLOGY)
    assert found == Reach(WAD * 115 // 100, 5 * MILLION * 9 // 10)


def test_bound_of__tier_and_size__over_the_least_multiplier() -> None:
    found = bound_of(Reach(2 * WAD, 10**27), [90 * MILLION], 1_150_000, METHODOLOGY)
    # 2 * (1.15 + .50) / .90, within 22.5M of core at a growth of 2
    assert found.marginal == pytest.approx(2 * 1.65 / 0.9 * WAD, rel=1e-12)
    assert found.max_added == 22_500_000 * WAD * 9 // 20


def test_bound_of__more_than_a_leaf_can_state__no_reach() -> None:
    assert bound_of(Reach(17 * WAD, 10**27), [90 * MILLION], 1_150_000, METHODOLOGY).max_added == 0
