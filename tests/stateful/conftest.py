"""Budgets of the machines: `quick` for every run of the tests, the same draws every time; `long` for
campaigns (HYPOTHESIS_PROFILE=long).
"""

import os

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile(
    "quick", max_examples=30, stateful_step_count=40, derandomize=True, database=None, **_COMMON
)
settings.register_profile("long", max_examples=4_000, stateful_step_count=80, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
