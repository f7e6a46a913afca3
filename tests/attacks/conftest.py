"""A running protocol with two colluding accounts of an attacker and two honest ones.

Actions go through `Protocol`, so the model must agree with every answer, and every test ends with all
invariants.
"""

from dataclasses import dataclass

import pytest

from keeper.clearing import account as accounts
from keeper.clearing.ledger import Trade, TradeLeg
from keeper.markets.instrument import Instrument, Kind
from tests.stateful import invariants
from tests.stateful.deployment import EXPIRIES, START, deploy
from tests.stateful.orders import WAD, Deal, Side
from tests.stateful.protocol import Protocol
from tests.stateful.world import World

USDC = 10**6
USD = 10**8


@dataclass
class Stage:
    """The protocol, its actors' accounts and shorthands for instruments of underlying 1 (spot 2,000 USD)."""

    protocol: Protocol
    attacker: int
    accomplice: int
    honest: int
    depositor: int

    perp = Instrument(1, 0, 0, Kind.PERP).pack()
    future = Instrument(1, EXPIRIES[0], 0, Kind.FUTURE).pack()

    def call(self, strike: int, expiry: int = EXPIRIES[0]) -> int:
        return Instrument(1, expiry, strike * USD, Kind.CALL).pack()

    def put(self, strike: int, expiry: int = EXPIRIES[0]) -> int:
        return Instrument(1, expiry, strike * USD, Kind.PUT).pack()

    def deal(self, buyer, seller, instrument, units, price, ways, with_leaf=True) -> Deal:
        """`buyer` (maker) buys `units` at `price` USD."""
        return Deal(buyer, seller, (TradeLeg(instrument, units * WAD, price * WAD),), ways, with_leaf)

    def sides(self, deal: Deal) -> list[Side]:
        """What honest owners present for a deal."""
        p = self.protocol
        fees = (p.world.fee(taker, deal) for taker in (False, True))
        trade = Trade(deal.maker, deal.taker, deal.legs, *fees)
        both = trade.sides([p.epoch.instrument_margin(instrument) for instrument in deal.instruments])
        after = [(number, accounts.traded(p.account(number), fills)) for number, fills in both]
        return [p.side(number, way, state) for (number, state), way in zip(after, deal.ways, strict=True)]

    def epoch(self, *moves: int) -> None:
        """Next epoch 15 seconds later, spots moved by basis points."""
        self.protocol.world.chain.mine(1, 15)
        spots = [word >> 64 for word in self.protocol.epoch.words]
        moved = [s + s * m // 10_000 for s, m in zip(spots, moves or (0, 0), strict=True)]
        self.protocol.post_epoch(moved)

    def cash(self, account: int) -> int:
        return int(self.protocol.world.clearing.account(account).cash)


@pytest.fixture
def stage():
    deployment = deploy()
    protocol = Protocol(World(deployment))
    numbers = [protocol.open_account(200 + i) for i in range(4)]
    protocol.deposit(numbers[2], 200_000 * USDC)
    protocol.deposit(numbers[3], 1_000_000 * USDC)
    protocol.post_epoch(START)
    try:
        yield Stage(protocol, *numbers)
        invariants.check_all(protocol)
    finally:
        deployment.restore()
