"""The machine under the profile in force, and proof that its actions happen."""

import os

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful import machine
from tests.stateful.machine import ClearingMachine

SUCCEEDS_OFTEN = (
    "deposit",
    "epoch",
    "refresh",
    "settle",
    "settlement price",
    "withdraw by headroom",
    "withdraw by leaf",
    "withdraw by report",
    "withdraw by worst case",
    "trade by headroom / headroom",
    "trade by report / report",
    "trade by leaf / report",
)
IS_REFUSED = (
    "refresh",
    "settle",
    "withdraw by headroom",
    "withdraw by report",
    "withdraw by worst case",
    "trade by headroom / headroom",
    "trade by report / report",
)
TIMES = 1


class TestClearing(ClearingMachine.TestCase):
    """Random sequences; every invariant after every step."""

    settings = settings(settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick")))


@pytest.fixture(scope="module")
def summary():
    """Calls of one deterministic campaign."""
    machine.SUMMARY.clear()
    budget = settings(max_examples=40, stateful_step_count=40, derandomize=True, database=None)
    run_state_machine_as_test(seed(1)(ClearingMachine), settings=budget)
    return machine.SUMMARY


@pytest.mark.parametrize("action", SUCCEEDS_OFTEN)
def test_campaign__action__succeeded(summary, action):
    assert summary[action] >= TIMES, dict(summary)


@pytest.mark.parametrize("action", IS_REFUSED)
def test_campaign__action__was_also_refused(summary, action):
    assert summary[f"{action} refused"] >= TIMES, dict(summary)
