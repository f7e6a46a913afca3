"""The machine's own rules in a fixed order, for what random draws reach too seldom."""

from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from keeper.clearing.ledger import TradeLeg
from keeper.markets.instrument import Instrument, Kind
from tests.stateful.deployment import LOT
from tests.stateful.machine import ClearingMachine
from tests.stateful.orders import HEADROOM, LEAF, Deal
from tests.stateful.truth import Health, health

PERP = Instrument(1, 0, 0, Kind.PERP).pack()
WAD = 10**18


class Fixed:
    """Draws that a test has decided."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def draw(self, strategy: object) -> Any:
        return self.values.pop(0)


class Scene(ClearingMachine):
    """A machine that a test moves by hand; every invariant is checked after every step."""

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        super().__init__()
        self.open_and_fund()

    def geared(self, trader: int, instrument: int = PERP, short: bool = False) -> int:
        """A trader with all that its margin allows."""
        self.gear(Fixed(True, instrument), trader, short)
        self.holds()
        return self.numbers[trader]

    def bought(self, trader: int, lots: int, instrument: int = PERP) -> int:
        """A trader that has bought from the liquidator at the mark."""
        self.next_epoch((0, 0), 12)
        number = self.numbers[trader]
        for one in (number, self.liquidator):
            self.protocol.refresh(one)
        leg = TradeLeg(instrument, lots * LOT, self.at(instrument, 100))
        assert self.protocol.trade(Deal(number, self.liquidator, (leg,), (HEADROOM, HEADROOM))) == ""
        self.holds()
        return number

    def moved(self, per_mille: int, seconds: int = 7_200) -> None:
        """After a silence the first spot stands elsewhere, inside its band."""
        self.protocol.world.chain.mine(seconds // 12, seconds)
        self.spots[0] = self.spots[0] * (1_000 + per_mille) // 1_000
        self.next_epoch((0, 0), 12)
        self.holds()

    def flagged(self, number: int, way: int = LEAF) -> None:
        assert self.liquidation.flag(number, way) == ""
        self.holds()

    def stands(self, number: int) -> Health:
        p = self.protocol
        return health(p, p.account(number), p.epoch.views)
