import boa
import pytest

boa.interpret.set_cache_dir(".build/boa")


@pytest.fixture(scope="session")
def payoff_contract():
    return boa.load("contracts/mocks/PayoffHarness.vy")


@pytest.fixture(scope="session")
def units_contract():
    return boa.load("contracts/mocks/UnitsHarness.vy")


@pytest.fixture(scope="session")
def instrument_contract():
    return boa.load("contracts/mocks/InstrumentHarness.vy")


@pytest.fixture(scope="session")
def attestation_contract():
    return boa.load("contracts/mocks/AttestationHarness.vy")
