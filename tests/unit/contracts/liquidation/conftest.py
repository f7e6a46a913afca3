"""A hall with a seller of options who has fallen below maintenance margin, and a buyer."""

from dataclasses import dataclass

import boa
import pytest

from keeper.units import constants as c
from tests.support.auctions import CALL, EXPIRY, MARK, USD8, USDC, WAD, Hall, call, deploy, events, unit

STRIKE = call(2_000)
SPOT = 2_300  # at expiry
LATER = call(2_000, EXPIRY + 7 * 86_400)


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


class Indebted:
    """The account, and who buys its collateral."""

    def __init__(self, hall, debtor, other, buyer):
        self.hall, self.debtor, self.other, self.buyer = hall, debtor, other, buyer

    def start(self):
        self.hall.on.sale.start_conversion(self.debtor, self.hall.book(self.debtor))
        return events(self.hall.on.sale, "ConversionStarted")[0]

    def convert(self, amount, limit=10**12, token=None):
        hall = self.hall
        hall.on.sale.convert_collateral(
            self.debtor,
            token or hall.on.ether.address,
            amount,
            limit,
            hall.book(self.debtor),
            self.buyer,
            sender=self.buyer,
        )
        sold = events(hall.on.sale, "CollateralConverted")
        return sold[0] if sold else None

    def later(self, seconds):
        self.hall.post(units=[unit(LATER)], spot=SPOT * USD8, seconds=seconds)

    def ether(self):
        return self.hall.on.vault.collateral_balance(self.debtor, self.hall.on.ether.address)

    def equity(self, haircut):
        """After a haircut in basis points."""
        return self.hall.cash(self.debtor) + self.ether() * SPOT * (10_000 - haircut) // 10_000


@pytest.fixture
def indebted(hall):
    """1.5 ether, and 2,000 USD less than no cash; the buyer has dollars."""
    debtor, other = hall.open("debtor"), hall.open("other", 100_000)
    hall.deposit_ether(debtor, 15 * WAD // 10)
    hall.hold(debtor, other, {STRIKE: -10 * WAD})
    hall.wait(EXPIRY + c.SETTLEMENT_FALLBACK - boa.env.evm.patch.timestamp)
    hall.post(units=[unit(STRIKE)], spot=SPOT * USD8)
    hall.on.oracle.finalize_settlement(1, EXPIRY)
    hall.on.clearing.settle(debtor, [STRIKE])
    hall.move(debtor, STRIKE, 10 * WAD)
    assert hall.cash(debtor) == -2_000 * WAD
    buyer = boa.env.generate_address("converter")
    hall.on.token.mint(buyer, 10_000 * USDC)
    hall.on.token.approve(hall.on.vault.address, 10_000 * USDC, sender=buyer)
    return Indebted(hall, debtor, other, buyer)
