"""Random sequences of everything users, attesters and time can do, each predicted by the model."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keeper.markets.instrument import Instrument
from tests.stateful import invariants
from tests.stateful.deployment import START, deploy
from tests.stateful.protocol import Deal, Protocol
from tests.stateful.world import HEADROOM, LEAF, REPORT, WORST_CASE, EpochBook, World

TRADERS = 4
USDC = 10**6
WAYS = (HEADROOM, LEAF, REPORT, WORST_CASE)
LOT = 10**17
TICK = 10**16
LAST_WINDOW = 1_800

traders = st.integers(0, TRADERS - 1)
ways = st.sampled_from(WAYS)
amounts = st.integers(1, 30_000 * USDC)
lots = st.integers(-30, 30).filter(bool)
moves = st.integers(-90, 90)  # basis points, inside the minute band
SUMMARY: Counter[str] = Counter()  # of every run in this process


class ClearingMachine(RuleBasedStateMachine):
    """Four traders, three attesters of five, two underlyings, two expiries."""

    def __init__(self) -> None:
        super().__init__()
        self.deployment = deploy()
        self.protocol = Protocol(World(self.deployment))
        self.pending: EpochBook | None = None
        self.numbers: list[int] = []
        self.spots = list(START)

    def teardown(self) -> None:
        self.deployment.restore()
        SUMMARY.update(self.protocol.summary)

    @initialize()
    def open_and_fund(self) -> None:
        for key in range(TRADERS):
            number = self.protocol.open_account(100 + key)
            self.protocol.deposit(number, 20_000 * USDC)
            self.numbers.append(number)
        self.protocol.post_epoch(self.words())

    # Users

    @rule(trader=traders, amount=amounts)
    def deposit(self, trader: int, amount: int) -> None:
        self.protocol.deposit(self.numbers[trader], amount)

    @rule(trader=traders, amount=amounts, way=ways)
    def withdraw(self, trader: int, amount: int, way: int) -> None:
        number = self.numbers[trader]
        if way == LEAF and not self.has_leaf(number):
            way = REPORT
        self.protocol.withdraw(number, amount, way)

    @rule(data=st.data(), quantity=lots, price=st.integers(90, 110), order=st.permutations(WAYS))
    def trade_by_the_first_way(self, data: Any, quantity: int, price: int, order: list[int]) -> None:
        """Both sides take the first way that the model lets them pass by."""
        deal = self.deal(data, quantity, price, (REPORT, REPORT))
        passing = tuple(
            self.protocol.first_way(n, deal, [w for w in order if w != LEAF or self.has_leaf(n)])
            for n in (deal.maker, deal.taker)
        )
        self.protocol.trade(replace(deal, ways=passing))

    @rule(
        data=st.data(),
        quantity=lots,
        price=st.integers(50, 150),
        by=st.tuples(ways, ways),
        leaf=st.booleans(),
    )
    def trade_by_any_way(self, data: Any, quantity: int, price: int, by: tuple[int, int], leaf: bool) -> None:
        """Also at bad prices and by ways that do not pass: the refusal must be the model's."""
        deal = self.deal(data, quantity, price, by)
        sides = zip((deal.maker, deal.taker), by, strict=True)
        by = tuple(REPORT if way == LEAF and not self.has_leaf(n) else way for n, way in sides)
        self.protocol.trade(replace(deal, ways=by, with_leaf=leaf))

    @precondition(lambda self: self.unexpired())
    @rule(data=st.data(), quantity=st.integers(-5, 5).filter(bool))
    def trade_at_the_mark_by_headroom(self, data: Any, quantity: int) -> None:
        """The cheap path of market makers: fresh records on both sides, no signature."""
        self.post_epoch((0, 0), 12)
        deal = self.deal(data, quantity, 100, (HEADROOM, HEADROOM))
        for number in (deal.maker, deal.taker):
            self.protocol.refresh(number)
        self.protocol.trade(deal)

    @rule(trader=traders)
    def refresh(self, trader: int) -> None:
        number = self.numbers[trader]
        if self.has_leaf(number):
            self.protocol.refresh(number)

    @rule(trader=traders)
    def settle(self, trader: int) -> None:
        self.protocol.settle(self.numbers[trader])

    @rule(amount=st.integers(1, 10**12))
    def donate(self, amount: int) -> None:
        self.protocol.donate(amount)

    # Attesters

    @rule(move=st.tuples(moves, moves), seconds=st.integers(12, 90))
    def post_epoch(self, move: tuple[int, int], seconds: int) -> None:
        self.tick(move, seconds)
        self.protocol.post_epoch(self.words())
        self.pending = None

    @precondition(lambda self: self.pending is None)
    @rule(move=st.tuples(moves, moves), seconds=st.integers(12, 30))
    def propose_epoch(self, move: tuple[int, int], seconds: int) -> None:
        """What happens between the snapshot and the post is what headroom is for."""
        self.tick(move, seconds)
        self.pending = self.protocol.propose(self.words())

    @precondition(lambda self: self.pending is not None)
    @rule()
    def publish_epoch(self) -> None:
        assert self.pending is not None
        self.protocol.publish(self.pending)
        self.pending = None

    # Time

    @rule(seconds=st.integers(600, 7_200))
    def fall_silent(self, seconds: int) -> None:
        """No epoch for a while: whatever needs attesters stops, the rest goes on."""
        self.protocol.world.chain.mine(seconds // 12, seconds)
        self.pending = None
        self.protocol.summary["silence"] += 1

    @precondition(lambda self: self.whole_window_ahead())
    @rule(move=st.tuples(moves, moves))
    def expire_with_epochs(self, move: tuple[int, int]) -> None:
        """Epochs every 100 seconds through the settlement window of the next expiry, then its price."""
        self.pending = None
        chain = self.protocol.world.chain
        expiry = self.unexpired()[0]
        if chain.timestamp < expiry - LAST_WINDOW - 300:
            wait = expiry - LAST_WINDOW - 300 - chain.timestamp
            chain.mine(wait // 12 + 1, wait)
        while chain.timestamp <= expiry:
            self.tick((move[0] // 10, move[1] // 10), 80)
            self.protocol.post_epoch(self.words())
        self.finalize(expiry)

    @precondition(lambda self: self.unexpired())
    @rule()
    def expire_in_silence(self) -> None:
        """Nobody posts for a day after the expiry: the last spot settles it."""
        self.pending = None
        chain = self.protocol.world.chain
        expiry = self.unexpired()[0]
        chain.mine(7_200, expiry + 86_401 - chain.timestamp)
        self.finalize(expiry)

    # Invariants

    @invariant()
    def holds(self) -> None:
        if self.numbers:
            invariants.check_all(self.protocol)

    # Helpers

    def words(self) -> list[int]:
        return [spot << 64 | spot for spot in self.spots]

    def tick(self, move: tuple[int, int], seconds: int) -> None:
        self.protocol.world.chain.mine(1, seconds)
        self.spots = [s + s * m // 10_000 for s, m in zip(self.spots, move, strict=True)]

    def has_leaf(self, number: int) -> bool:
        return number in self.protocol.epoch.margins

    def unexpired(self) -> list[int]:
        now = self.protocol.world.chain.timestamp
        return [e for e in self.deployment.expiries if e > now]

    def whole_window_ahead(self) -> bool:
        now = self.protocol.world.chain.timestamp
        return bool(self.unexpired()) and self.unexpired()[0] - now > LAST_WINDOW + 300

    def deal(self, data: Any, quantity: int, price: int, by: tuple[int, int]) -> Deal:
        """A trade of `quantity` lots at `price` per cent of the mark between two different traders."""
        maker, other = data.draw(st.tuples(traders, st.integers(1, TRADERS - 1)))
        instrument = data.draw(st.sampled_from(self.deployment.instruments))
        mark = self.protocol.epoch.instruments[instrument]["mark"]
        exact = max(TICK, mark * price // 100 // TICK * TICK)
        taker = (maker + other) % TRADERS
        return Deal(self.numbers[maker], self.numbers[taker], instrument, quantity * LOT, exact, by)

    def finalize(self, expiry: int) -> None:
        for underlying in {Instrument.unpack(i).underlying for i in self.deployment.instruments}:
            self.protocol.finalize(underlying, expiry)
