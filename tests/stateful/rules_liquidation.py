"""How accounts fall, and what liquidators, backers and owners do about it."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from keeper.clearing.ledger import TradeLeg
from keeper.markets.instrument import Instrument, Kind
from tests.stateful.auctions import Bid
from tests.stateful.conversion import Conversion
from tests.stateful.deployment import LOT, START
from tests.stateful.epochs import coins_of, margin_of
from tests.stateful.liquidation import Liquidation, deficit_of
from tests.stateful.orders import HEADROOM, LEAF, REDUCE_REPORT, REPORT, WORST_CASE, Deal
from tests.stateful.rules_base import USDC, Rules, traders
from tests.stateful.truth import is_weak

WAD = 10**18
STEPS = 24  # of the search for the largest trade that passes
fractions = st.sampled_from((WAD, WAD, WAD // 2, WAD // 10, WAD // 100, 10**10, 1))
claims_by = st.sampled_from((LEAF, LEAF, REPORT))


class LiquidationRules(Rules):
    """Losses, flags, bids, recoveries, conversions."""

    liquidation: Liquidation
    conversion: Conversion
    _weak: tuple[int, list[int]] = (-1, [])

    # Falling

    @rule(data=st.data(), trader=traders, short=st.booleans())
    def gear(self, data: Any, trader: int, short: bool) -> None:
        """A trader takes as much as its margin allows."""
        self.wake(data)
        self.next_epoch((0, 0), 12)
        number = self.numbers[trader]
        for one in (number, self.liquidator):
            self.settle_all(one)
            self.protocol.refresh(one)
        instrument = data.draw(st.sampled_from(self.geared_by()))
        size, sign = 4_000, -1 if short else 1
        for _ in range(STEPS):
            leg = TradeLeg(instrument, sign * size * LOT, self.at(instrument, 100))
            deal = Deal(number, self.liquidator, (leg,), (HEADROOM, HEADROOM))
            if self.protocol.first_way(number, deal, [HEADROOM, REPORT]) == HEADROOM:
                break
            size = max(1, size * 2 // 3)
        self.protocol.trade(deal)

    @rule(
        data=st.data(),
        trader=traders,
        short=st.booleans(),
        per_cent=st.sampled_from((12, 20, 30, 45, 60)),
        then=st.sampled_from(("wait", "flag", "bid")),
    )
    def fall(self, data: Any, trader: int, short: bool, per_cent: int, then: str) -> None:
        """A trader with all it can carry, then the market goes against it, and a liquidator is there."""
        number = self.numbers[trader]
        if not self.protocol.account(number).frozen:
            self.gear(data, trader, short)
        sign = self.worse(number)
        self.jump(sign * per_cent * 100, sign * per_cent * 50, 7_200)
        if then != "wait" and self.weak():
            self.flag_weak(data, LEAF)
        if then == "bid" and self.liquidation.auctions:
            self.bid(data, WAD // 2, HEADROOM)

    @rule(
        move=st.integers(-6_000, 6_000),
        other=st.integers(-2_000, 2_000),
        seconds=st.sampled_from((1_800, 3_600, 7_200)),
    )
    def jump(self, move: int, other: int, seconds: int) -> None:
        """After a silence the market is somewhere else."""
        self.protocol.world.chain.mine(seconds // 12, seconds)
        self.next_epoch((move, other), 12)
        self.spots = [
            min(max(spot, start // 6), start * 6) for spot, start in zip(self.spots, START, strict=True)
        ]

    @rule(move=st.sampled_from((-190, 190)), epochs=st.integers(3, 9))
    def slide(self, move: int, epochs: int) -> None:
        """Step by step, as fast as the band allows."""
        for _ in range(epochs):
            self.next_epoch((move, move // 2), 60)

    # Flags

    @precondition(lambda self: self.weak())
    @rule(data=st.data(), way=claims_by)
    def flag_weak(self, data: Any, way: int) -> None:
        self.wake(data)
        weak = self.weak()
        if weak:
            self.flag_one(data.draw(st.sampled_from(weak)), way)

    @rule(data=st.data(), trader=traders, kind=st.sampled_from(("flag", "convert", "stake")))
    def try_anyway(self, data: Any, trader: int, kind: str) -> None:
        """Mostly healthy accounts: it must be refused."""
        self.wake(data)
        number = self.numbers[trader]
        if kind == "flag":
            self.flag_one(number, data.draw(claims_by))
        elif kind == "convert":
            self.conversion.start(number)
        else:
            self.conversion.stake(data.draw(st.integers(1, 2_000 * USDC)))

    @precondition(lambda self: self.weak())
    @rule(data=st.data(), how=st.sampled_from(("collateral", "reduction", "worst case", "settlement")))
    def flag_behind_changes(self, data: Any, how: str) -> None:
        """The account changes its book after the snapshot: the leaf still flags it."""
        self.wake(data)
        weak = self.weak()
        if not weak:
            return
        number = data.draw(st.sampled_from(weak))
        if how == "reduction":
            self.protocol.refresh(number)
        self.tick((0, 0), 12)
        epoch = self.protocol.propose(self.spots)
        self.change(data, number, how)
        self.protocol.publish(epoch)
        self.pending = None
        self.flag_one(number, LEAF)

    # Auctions

    @precondition(lambda self: self.liquidation.auctions)
    @rule(data=st.data(), fraction=fractions, way=st.sampled_from((HEADROOM, HEADROOM, LEAF, WORST_CASE)))
    def bid(self, data: Any, fraction: int, way: int) -> None:
        number, bidder = self.auction(data), self.bidder(data)
        if data.draw(st.sampled_from((True, True, False))):
            self.bring_up(number)
        if number not in self.liquidation.auctions or bidder == number:
            return
        offer = self.liquidation.offer(number)
        if way == HEADROOM and self.has_leaf(bidder):
            self.protocol.refresh(bidder)
        wanted = data.draw(st.sampled_from((fraction, max(1, offer.largest * fraction // WAD))))
        limit = data.draw(st.sampled_from((2**200, 2**200, offer.asked, offer.asked - 1)))
        self.liquidation.bid(Bid(number, bidder, wanted, limit, way))

    @precondition(lambda self: self.liquidation.auctions)
    @rule(data=st.data(), way=claims_by, anew=st.booleans())
    def update(self, data: Any, way: int, anew: bool) -> None:
        number = self.auction(data)
        if anew:
            self.next_epoch((0, 0), 12)
        if self.has_leaf(number):
            self.liquidation.update(number, way)

    @precondition(lambda self: self.liquidation.auctions)
    @rule(data=st.data(), coins=st.booleans())
    def rescue(self, data: Any, coins: bool) -> None:
        """The owner brings what is missing, and the auction ends."""
        number = self.auction(data)
        missing = deficit_of(self.protocol, number) * 3 // 2 + WAD
        if coins:
            price = self.protocol.epoch.words[0] & 2**64 - 1
            self.protocol.deposit(number, min(missing * 10**8 // price, 500 * WAD), 1)
        else:
            self.protocol.deposit(number, missing // 10**12 + 1)
        self.next_epoch((0, 0), 12)
        self.liquidation.update(number, LEAF)

    # Losses

    @precondition(lambda self: self.protocol.ledger.losses.shortfall)
    @rule(percent=st.integers(1, 120))
    def recover_shortfall(self, percent: int) -> None:
        missing = self.protocol.ledger.losses.shortfall // 10**12
        self.conversion.recover(missing * percent // 100 + 1)

    @precondition(lambda self: self.protocol.ledger.losses.recovery)
    @rule(hours=st.integers(1, 80))
    def days_pass(self, hours: int) -> None:
        self.protocol.world.chain.mine(hours * 300, hours * 3_600)
        self.pending = None

    # Conversions

    @precondition(lambda self: self.owing())
    @rule(data=st.data())
    def start_conversion(self, data: Any) -> None:
        self.wake(data)
        self.conversion.start(data.draw(st.sampled_from(self.owing() or self.numbers)))

    @precondition(lambda self: self.conversion.started)
    @rule(data=st.data(), percent=st.integers(1, 150), paid=st.sampled_from((100, 150)))
    def convert(self, data: Any, percent: int, paid: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.conversion.started)))
        if data.draw(st.sampled_from((True, True, False))):
            self.next_epoch((0, 0), 12)
        held = self.protocol.account(number).collateral or {1: WAD}
        index = data.draw(st.sampled_from(sorted(held)))
        listing = self.protocol.ledger.vaults[index].listing
        amount = max(1, held[index] * percent // 100 // listing.amount(1))
        spot = self.protocol.epoch.words[listing.underlying - 1] >> 64
        limit = listing.amount(amount) * spot * paid // 100 // 10**20
        self.conversion.convert(number, index, amount, limit)

    # Helpers

    def worse(self, number: int) -> int:
        """Which way the first underlying hurts an account: its exposure, by a move of a tenth."""
        market, account = self.protocol.epoch.market, self.protocol.account(number)
        values = []
        for tenths in (9, 11):
            spots = {u: spot * tenths // 10 for u, spot in market.spots.items()}
            moved = replace(market, spots=spots, forwards={})
            coins = sum(c.amount * spots[c.underlying] * 10**10 // WAD for c in coins_of(account))
            values.append(margin_of(account, moved).mark + coins)
        return -1 if values[0] < values[1] else 1

    def weak(self) -> list[int]:
        """Accounts to be flagged; computed once in each state, as every choice of a rule asks for it."""
        state = self.protocol.world.chain.changes
        if self._weak[0] != state:
            p = self.protocol
            self._weak = state, [n for n in self.numbers if not p.account(n).frozen and is_weak(p, n)]
        return self._weak[1]

    def owing(self) -> list[int]:
        """Accounts whose settled cash is below zero, with coins to sell."""
        p = self.protocol
        held = [n for n in self.numbers if p.account(n).collateral and n not in self.conversion.started]
        return [n for n in held if not p.account(n).frozen and self.conversion.settled(n) < 0]

    def geared_by(self) -> list[int]:
        """Perps, and whatever has not expired."""
        legs = [Instrument.unpack(i) for i in self.deployment.instruments]
        return [i.pack() for i in legs if i.kind == Kind.PERP or i.expiry > self.protocol.now]

    def flag_one(self, number: int, way: int) -> None:
        if self.has_leaf(number):
            self.liquidation.flag(number, way)

    def change(self, data: Any, number: int, how: str) -> None:
        """Something of the account's own that moves its book hash."""
        p, positions = self.protocol, self.protocol.account(number).positions
        if how == "collateral" or not positions:
            p.deposit(number, 10**9, 1)
        elif how == "settlement":
            p.settle(number)
        else:
            instrument = data.draw(st.sampled_from(sorted(positions)))
            sold = -LOT if positions[instrument] > 0 else LOT
            leg = TradeLeg(instrument, sold, self.at(instrument, 100))
            way = REDUCE_REPORT if how == "reduction" else WORST_CASE
            deal = Deal(number, self.liquidator, (leg,), (way, REPORT))
            other = p.first_way(self.liquidator, deal, [REPORT, WORST_CASE])
            p.trade(replace(deal, ways=(way, other)))

    def auction(self, data: Any) -> int:
        return int(data.draw(st.sampled_from(sorted(self.liquidation.auctions))))

    def bidder(self, data: Any) -> int:
        """Mostly the rich one."""
        return int(data.draw(st.sampled_from((self.liquidator, self.liquidator, *self.numbers))))

    def bring_up(self, number: int) -> None:
        """A new epoch, and the auction on it."""
        self.next_epoch((0, 0), 12)
        self.liquidation.update(number, LEAF)
