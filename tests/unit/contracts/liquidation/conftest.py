"""A hall with a seller of options who has fallen below maintenance margin, and a buyer."""

from dataclasses import dataclass

import boa
import pytest

from tests.support.auctions import CALL, MARK, WAD, Hall, deploy


@dataclass
class Fallen:
    """The hall; `seller` is short ten calls and has 3,000 USD in cash; `buyer` and `other` are rich."""

    hall: Hall
    seller: int
    buyer: int
    other: int


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        yield deploy()


@pytest.fixture
def hall(deployed):
    with boa.env.anchor():
        yield Hall(deployed)


@pytest.fixture
def fallen(hall):
    """Equity 2,000; initial margin 2,500 and maintenance margin 2,100 by the latest epoch."""
    seller, buyer, other = (
        hall.open("seller", 2_000),
        hall.open("buyer", 100_000),
        hall.open("other", 100_000),
    )
    hall.hold(seller, other, {CALL: -10 * WAD})
    hall.post(hall.margin(seller, initial_margin=2_500 * WAD, maintenance_margin=2_100 * WAD))
    hall.refresh(buyer)
    assert hall.cash(seller) - 10 * MARK == 2_000 * WAD
    return Fallen(hall, seller, buyer, other)
