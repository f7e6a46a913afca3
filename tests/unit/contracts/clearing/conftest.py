"""A house with a maker and a taker, and an epoch in which neither has a margin yet."""

from dataclasses import dataclass

import pytest

from tests.support.house import House


@dataclass
class Pair:
    """The house and its two accounts, 10,000 and 1,000,000 USD rich."""

    house: House
    maker: int
    taker: int


@pytest.fixture
def pair(house):
    pair = Pair(house, house.open("maker", 10_000), house.open("taker", 1_000_000))
    house.post(house.margin(pair.maker), house.margin(pair.taker))
    return pair
