"""The machine under the profile in force, and proof that its actions happen."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful import machine
from tests.stateful.machine import ClearingMachine

HAPPENS = (
    "deposit",
    "deposit of collateral",
    "epoch",
    "epoch outside its band",
    "refresh",
    "settle",
    "settlement price",
    "withdraw by headroom",
    "withdraw by leaf",
    "withdraw by report",
    "withdraw by worst case",
    "withdraw collateral by report",
    "withdraw collateral by worst case",
    "trade by headroom / headroom",
    "trade by report / report",
    "trade by leaf / report",
    "trade of several legs",
    "trade by reduction by report / report",
    "pause",
    "replay refused",
)
IS_REFUSED = (
    "refresh",
    "settle",
    "withdraw by headroom",
    "withdraw by report",
    "withdraw by worst case",
    "withdraw collateral by headroom",
    "trade by headroom / headroom",
    "trade by report / report",
)
WITHOUT_KEEPERS = ("deposit", "settle", "withdraw by worst case")


@pytest.fixture(scope="module")
def summary():
    """Random sequences, every invariant after every step; counts of what happened."""
    machine.SUMMARY.clear()
    run_state_machine_as_test(ClearingMachine, settings=settings())
    return machine.SUMMARY


def test_machine__random_sequences__every_invariant_holds(summary):
    assert summary["step"] > 0


@pytest.mark.parametrize("action", HAPPENS)
def test_machine__action__succeeded(summary, action):
    assert summary[action] > 0, dict(summary)


@pytest.mark.parametrize("action", IS_REFUSED)
def test_machine__action__was_also_refused(summary, action):
    assert summary[f"{action} refused"] > 0, dict(summary)


@pytest.mark.parametrize("action", WITHOUT_KEEPERS)
def test_machine__action__works_without_keepers(summary, action):
    assert summary[f"{action} without keepers"] > 0, dict(summary)
