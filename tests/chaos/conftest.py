"""Faults one by one and the soak take minutes of a quiet machine: `make chaos` runs them. What is always run:
the list of cases against the tests that it names, kills at the edges of signing, and reorgs and kills of a
network.
"""

import os

import pytest

_ALWAYS = ("test_cases.py", "test_network_restarts.py", "test_signing_crashes.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what starts keepers, unless it is asked for."""
    if os.environ.get("CHAOS") == "1":
        return
    for item in items:
        if item.path.parent.name == "chaos" and item.path.name not in _ALWAYS:
            item.add_marker(pytest.mark.skip(reason="takes minutes of a quiet machine: `make chaos` runs it"))
