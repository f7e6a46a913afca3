"""The keeper's constants against those of the compiled contract, name by name, both ways."""

import boa
import pytest

from keeper.markets.instrument import Kind
from keeper.units import constants


@pytest.fixture(scope="module")
def compiled():
    return vars(boa.load("contracts/units/constants.vy")._constants)


def typed_by_hand():
    return {name: value for name, value in vars(constants).items() if name.isupper()}


def test_constants__keeper__are_those_of_the_contract(compiled):
    assert typed_by_hand() == compiled


def test_kind__keeper__is_that_of_the_contract(compiled):
    assert {kind.name: int(kind) for kind in Kind} == {
        name: compiled[name] for name in ("PERP", "FUTURE", "CALL", "PUT")
    }
