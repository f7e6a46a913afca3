"""The machine under the profile in force, and proof that its actions happen."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful import machine
from tests.stateful.machine import ClearingMachine

# what any campaign reaches; what is rarer has tests of its own beside this one
HAPPENS = (
    "deposit",
    "deposit of collateral",
    "epoch",
    "epoch outside its band",
    "refresh",
    "trade by headroom / headroom",
    "flag by leaf",
)
IS_REFUSED = ("trade by headroom / headroom",)


@pytest.fixture(scope="module")
def summary():
    """Random sequences, every invariant after every step; counts of what happened."""
    machine.SUMMARY.clear()
    # a sequence takes as long as many examples of other tests
    budget = settings(max_examples=settings().max_examples // 2)
    run_state_machine_as_test(ClearingMachine, settings=budget)
    return machine.SUMMARY


def test_machine__random_sequences__every_invariant_holds(summary):
    assert summary["step"] > 0


@pytest.mark.parametrize("action", HAPPENS)
def test_machine__action__succeeded(summary, action):
    assert summary[action] > 0, dict(summary)


@pytest.mark.parametrize("action", IS_REFUSED)
def test_machine__action__was_also_refused(summary, action):
    assert summary[f"{action} refused"] > 0, dict(summary)
