"""The contracts, deployed once a module, and a house of accounts on them that every test has anew."""

import boa
import pytest

from tests.support.clearing import deploy
from tests.support.house import House


@pytest.fixture(autouse=True)
def fresh_traces():
    """titanoboa describes a contract that reverts by what was ever written at its address. After an anchor
    another contract may live there, whose words it cannot read: it would fail in place of the revert."""
    boa.env.sstore_trace.clear()


@pytest.fixture(scope="module")
def contracts():
    with boa.env.anchor():
        yield deploy()


@pytest.fixture
def house(contracts):
    with boa.env.anchor():
        yield House(contracts)
