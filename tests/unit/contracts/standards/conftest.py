"""The clearing contracts with an exchange beside them."""

from dataclasses import dataclass
from typing import Any

import boa
import pytest

from tests.support.clearing import EXPIRY, USD8, Contracts, deploy, source
from tests.support.house import House

GRID = (1_000 * USD8, 3_000 * USD8, 500 * USD8)


@dataclass(frozen=True)
class Venue:
    """A house whose trades come from signed orders."""

    house: House
    exchange: Any
    lens: Any


@pytest.fixture(scope="module")
def deployed() -> Any:
    with boa.env.anchor():
        contracts = deploy()
        exchange = source("exchange/Exchange").deploy(
            contracts.clearing.address, contracts.markets.address, contracts.oracle.address, 0, 0
        )
        contracts.clearing.set_module(exchange.address, True, sender=contracts.owner)
        contracts.markets.list_expiry(1, EXPIRY, GRID, sender=contracts.owner)
        lens = source("lens/AccountLens").deploy(contracts.clearing.address, exchange.address)
        yield contracts, exchange, lens


@pytest.fixture
def venue(deployed: tuple[Contracts, Any, Any]) -> Any:
    contracts, exchange, lens = deployed
    with boa.env.anchor():
        yield Venue(House(contracts), exchange, lens)
