"""Liquidation cascades: nothing is created, and gentler policies are gentler."""

import pytest

from keeper.analysis.cascade import POLICIES, Policy, Setting, compare, simulate

SETTING = Setting(accounts=400, steps=120)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.name)
def test_simulate__any_policy__coins_and_money_conserved(policy: Policy) -> None:
    found = simulate(SETTING, policy)
    assert found.coins == pytest.approx(0.0, abs=1e-3)
    assert found.money == pytest.approx(0.0, abs=1e-6 * SETTING.gross)


def test_simulate__no_shock__nothing_happens() -> None:
    found = simulate(Setting(accounts=100, shock=0.0, steps=20), POLICIES[0])
    assert (found.liquidated, found.bad_debt, found.trough) == (0.0, 0.0, 1.0)


def test_simulate__endless_depth__price_as_without_liquidations() -> None:
    found = simulate(Setting(accounts=400, depth=1e18), POLICIES[0])
    assert found.price == pytest.approx(found.unforced)
    assert found.liquidated > 0.0


def test_simulate__same_seed__same_run() -> None:
    assert simulate(SETTING, POLICIES[1]) == simulate(SETTING, POLICIES[1])


def test_simulate__pace__bounds_the_fall_of_one_step() -> None:
    policy = Policy("paced", is_partial=True, pace=0.4)
    setting = Setting(accounts=400, shock_steps=1, shock=-0.15)
    path = simulate(setting, policy).price
    falls = [after / before - 1.0 for before, after in zip(path, path[1:], strict=False)]
    # .4 of the depth moves the price by .4 %
    assert min(falls) >= -0.0041


def test_compare__partial_and_paced__less_is_sold_and_the_price_falls_less() -> None:
    everything, partial, *_, tiered = compare(SETTING)
    assert partial.liquidated < everything.liquidated
    assert partial.trough >= everything.trough
    assert tiered.trough >= partial.trough
