"""The contracts that trade and liquidate, with a treasury and a pot of bounties; the owner is an address."""

from dataclasses import dataclass, replace
from typing import Any

import boa
import pytest

from tests.support.auctions import CALL, EXPIRY, PUT, USD8, USDC, Deployed, Hall, deploy
from tests.support.clearing import WAD, source

DAY = 86_400
POT = 100 * USDC
GRID = (1_000 * USD8, 3_000 * USD8, 10 * USD8)
EPOCH, SETTLEMENT, SETTLE, FLAG, DEBT, FUNDING = range(6)
REWARD = 1_000  # a thousandth of a dollar
BOUNTIES = {
    EPOCH: (REWARD, 3, 60),
    SETTLEMENT: (REWARD, 3, 0),
    SETTLE: (REWARD, 3, 20 * WAD),
    FLAG: (REWARD, 3, 1_000 * WAD),
    DEBT: (REWARD, 3, WAD),
    FUNDING: (REWARD, 3, 3_600),
}


@dataclass
class Office:
    """The hall, what pays those who work for it, and two who do."""

    hall: Hall
    bounties: Any
    treasury: Any
    owner: str
    keeper: str
    rival: str

    @property
    def token(self) -> Any:
        return self.hall.on.token

    def earned(self, who: str) -> int:
        """What somebody holds of the settlement token."""
        return int(self.token.balanceOf(who))

    def paid_hall(self) -> Hall:
        """The same hall, where epochs and flags go through the bounties."""
        return replace_on(self.hall, oracle=self.bounties, house=self.bounties)

    def expire(self, dollars: int = 2_040) -> None:
        """Silence until a day after the expiry; the last spot is its price. Not finalized yet."""
        self.hall.post(spot=dollars * USD8)
        boa.env.evm.patch.timestamp = EXPIRY + DAY + 1
        boa.env.evm.patch.block_number += 60_000


def replace_on(hall: Hall, **contracts: Any) -> Hall:
    """A hall with the same accounts and epochs that calls other contracts."""
    other = Hall(replace(hall.on, **contracts))
    vars(other).update({k: v for k, v in vars(hall).items() if k != "on"})
    return other


@pytest.fixture(scope="module")
def placed() -> Any:
    with boa.env.anchor():
        on: Deployed = deploy()
        with boa.env.prank(on.owner):
            on.markets.list_expiry(1, EXPIRY, GRID)
            bounties = source("governance/Bounties").deploy(on.clearing.address, on.markets.address)
            for kind, bounty in BOUNTIES.items():
                bounties.set_bounty(kind, bounty)
            treasury = source("governance/Treasury").deploy(
                on.clearing.address, bounties.address, (4_000, 1_000, 150 * USDC)
            )
            on.vault.set_fee_recipient(treasury.address)
        on.token.mint(bounties.address, POT)
        yield on, bounties, treasury


@pytest.fixture
def office(placed: Any) -> Any:
    on, bounties, treasury = placed
    keeper, rival = (boa.env.generate_address(name) for name in ("keeper", "rival"))
    with boa.env.anchor():
        yield Office(Hall(on), bounties, treasury, on.owner, keeper, rival)


@pytest.fixture
def seller(office: Office) -> int:
    """Short ten calls and long ten puts, from `other`, with 2,000 USD."""
    hall = office.hall
    seller, other = hall.open("seller", 2_000), hall.open("other", 100_000)
    hall.hold(seller, other, {CALL: -10 * WAD, PUT: 10 * WAD})
    return seller
