"""The contracts, deployed once a module, and a house of accounts on them that every test has anew."""

import boa
import pytest

from tests.support.clearing import deploy
from tests.support.house import House


@pytest.fixture(scope="module")
def contracts():
    with boa.env.anchor():
        yield deploy()


@pytest.fixture
def house(contracts):
    with boa.env.anchor():
        yield House(contracts)
