"""What the rules of the machine share: who trades what, and how time passes."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from keeper.clearing.ledger import TradeLeg
from keeper.markets.instrument import Instrument, Kind
from tests.stateful.deployment import LOT, TICK, Deployment
from tests.stateful.epochs import EpochBook
from tests.stateful.orders import HEADROOM, LEAF, REPORT, WORST_CASE, Deal
from tests.stateful.protocol import Protocol

TRADERS = 5  # the last one isolated to the first underlying
USDC = 10**6
DAY = 86_400
WAYS = (HEADROOM, LEAF, REPORT, WORST_CASE)

traders = st.integers(0, TRADERS - 1)
ways = st.sampled_from(WAYS)
lots = st.integers(-30, 30).filter(bool)
moves = st.integers(-90, 90)  # basis points, inside the minute band


class Rules:
    """State that every group of rules works on."""

    deployment: Deployment
    protocol: Protocol
    pending: EpochBook | None
    numbers: list[int]
    liquidator: int
    spots: list[int]

    def tick(self, move: tuple[int, int], seconds: int) -> None:
        """Time passes, and the spots move by basis points."""
        self.protocol.world.chain.mine(1, seconds)
        self.spots = [s + s * m // 10_000 for s, m in zip(self.spots, move, strict=True)]

    def next_epoch(self, move: tuple[int, int], seconds: int) -> None:
        self.tick(move, seconds)
        self.protocol.post_epoch(self.spots)
        self.pending = None

    def wake(self, data: Any) -> None:
        """Mostly: keepers are at work and nothing is paused."""
        if not data.draw(st.sampled_from((True, True, True, False))):
            return
        self.finish_expiries()
        if self.protocol.predictor.is_paused:
            self.protocol.pause(0)
        fresh, outside, _ = self.protocol.world.contracts.oracle.conditions((0, 0))
        if not fresh:
            self.next_epoch((0, 0), 12)
        elif outside:
            self.settle_spots()

    def settle_spots(self) -> None:
        """The market comes back to where the effective spots are."""
        self.spots = [word & 2**64 - 1 for word in self.protocol.epoch.words]
        self.next_epoch((0, 0), 12)

    def finish_expiries(self) -> None:
        """An expiry that passed without a price gets one, and everybody settles."""
        world = self.protocol.world
        legs = [i for i in map(Instrument.unpack, self.deployment.instruments) if i.kind != Kind.PERP]
        for expiry in sorted({i.expiry for i in legs if i.expiry <= self.protocol.now}):
            if all(world.settlement_price(i) for i in legs if i.expiry == expiry):
                continue
            wait = max(0, expiry + DAY + 1 - self.protocol.now)
            world.chain.mine(wait // 12 + 1, wait)
            self.finalize(expiry)
        for number in (*self.numbers, self.liquidator):
            self.settle_all(number)

    def finalize(self, expiry: int) -> None:
        """The settlement prices of all underlyings."""
        for underlying in sorted({i >> 112 for i in self.deployment.instruments}):
            self.protocol.finalize(underlying, expiry)

    def settle_all(self, number: int) -> None:
        """Whatever can be settled is."""
        if self.protocol.predictor.payoffs(number):
            self.protocol.settle(number)

    def has_leaf(self, number: int) -> bool:
        return number in self.protocol.epoch.margins

    def a_way(self, number: int, way: int) -> int:
        """The way, or a report where no leaf speaks of the account."""
        return REPORT if way == LEAF and not self.has_leaf(number) else way

    def unexpired(self) -> list[int]:
        return [e for e in self.deployment.expiries if e > self.protocol.now]

    def pair(self, data: Any) -> tuple[int, int]:
        """Two different traders' accounts."""
        maker, other = data.draw(st.tuples(traders, st.integers(1, TRADERS - 1)))
        return self.numbers[maker], self.numbers[(maker + other) % TRADERS]

    def deal(self, data: Any, quantity: int, price: int, by: tuple[int, int], legs: int = 1) -> Deal:
        """A trade of `quantity` lots at `price` per cent of the mark; further legs have their own
        quantity.
        """
        maker, taker = self.pair(data)
        chosen = st.lists(
            st.sampled_from(self.deployment.instruments), min_size=legs, max_size=legs, unique=True
        )
        quantities = [quantity, *(data.draw(lots) for _ in range(legs - 1))]
        priced = [
            TradeLeg(i, q * LOT, self.at(i, price))
            for i, q in zip(sorted(data.draw(chosen)), quantities, strict=True)
        ]
        return Deal(maker, taker, tuple(priced), by)

    def at(self, instrument: int, per_cent: int) -> int:
        """A price near the mark, in whole ticks."""
        mark = self.protocol.epoch.instruments[instrument]["mark"]
        return max(TICK, mark * per_cent // 100 // TICK * TICK)

    def passing(self, deal: Deal, order: Sequence[int]) -> tuple[int, int]:
        """The first way in `order` that each side passes by."""
        maker, taker = (
            self.protocol.first_way(n, deal, [way for way in order if way != LEAF or self.has_leaf(n)])
            for n in (deal.maker, deal.taker)
        )
        return maker, taker
