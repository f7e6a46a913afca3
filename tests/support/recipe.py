"""The protocol as the recipe leaves it: wired, listed, owned by the Timelock."""

from collections.abc import Iterator
from functools import cache

import pytest
from eth_utils.crypto import keccak

from scripts._protocol import Deployment, Parameters, deploy
from tests.support.boa_backend import BoaBackend
from tests.support.keys import ATTESTERS, address_for, key_of

GUARDIAN = address_for(key_of("guardian"))
PROPOSER = address_for(key_of("proposer"))
RISK_OFFICER = address_for(key_of("risk officer"))
PARAMETERS = Parameters(
    attesters=ATTESTERS,
    threshold=3,
    methodology_hash=keccak(text="methodology of the tests"),
    guardian=GUARDIAN,
    proposers=(PROPOSER,),
    risk_manager=RISK_OFFICER,
)


@cache
def deployed() -> tuple[BoaBackend, Deployment]:
    """Once per test module; whoever changes its state puts it back."""
    backend = BoaBackend()
    return backend, deploy(backend, PARAMETERS)


@pytest.fixture(scope="module", autouse=True)
def deployment_of_the_module() -> Iterator[None]:
    """For modules that use `deployed`: boa takes back at their end what a module's fixtures deployed."""
    deployed.cache_clear()
    deployed()
    yield
    deployed.cache_clear()
