"""A clock that is off warns first, then stops signatures."""

import pytest

from keeper.jobs.clock import skew_refusal
from keeper.observability import names
from keeper.observability.metrics import Metrics


@pytest.mark.parametrize("skew", [0.0, 1.9, -2.0, 9.9, -10.0])
def test_skew_refusal__within_ten_seconds__signs_and_shows_it(skew: float) -> None:
    metrics = Metrics()
    assert skew_refusal(skew, "proposer", metrics) is None
    assert metrics.value(names.CLOCK_SKEW, against="proposer") == skew


@pytest.mark.parametrize(("skew", "said"), [(10.1, "+10 seconds"), (-600.0, "-600 seconds")])
def test_skew_refusal__beyond__says_whose_clock_and_how_far(skew: float, said: str) -> None:
    found = skew_refusal(skew, "chain", Metrics())
    assert found is not None and said in found and "the chain's" in found
