"""The story, hour by hour: epochs, trades, hedges, an outage, auctions, and the settlement window."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from keeper.markets.instrument import Instrument
from keeper.units.constants import WAD
from scripts import _demo_story as story
from scripts._demo_clock import Clock
from scripts._demo_desk import Desk, Trader
from scripts._demo_history import Figures, History
from scripts._demo_live import Board
from scripts._demo_network import LIQUIDATOR, LIQUIDATOR_ACCOUNT
from scripts._demo_story import Role

_HOUR = 3_600
_WINDOW = 1_800  # before an expiry
_WINDOW_STEP = 90  # seconds between epochs in the window: gaps above 120 s do not count
_AUCTION_STEP = 90  # seconds between epochs while somebody is in auction
_AUCTION_STEPS = 12  # per hour, at most
_SETTLE_SECONDS = 60  # of wall clock
_STAKER_KEY = 31
_DEALER_KEY = 30


def moments() -> Iterator[int]:
    """When an epoch is due whatever happens: every hour, and close together in the settlement window."""
    for hour in range(story.START, story.END + 1, _HOUR):
        if hour == story.NEAR:
            first = hour - _WINDOW - _WINDOW_STEP
            yield from range(first, hour + 2 * _WINDOW_STEP, _WINDOW_STEP)
        else:
            yield hour


def steps() -> int:
    """Of the progress bar."""
    return sum(1 for _ in moments()) + len(story.ROLES) + 2


@dataclass
class Play:
    """Plays it on a running network."""

    desk: Desk
    clock: Clock
    history: History
    board: Board
    insurance_before: float = 0.0
    traders: dict[str, Trader] = field(default_factory=dict)

    def run(self) -> None:
        """From the first deposit to the last epoch."""
        self._open_accounts()  # while the keepers start
        self.desk.keepers.wait_until_live()
        for now in moments():
            figures = self._epoch(now)
            self._liquidate(now, figures)
            self._trade(now)
            self._switch_operator(now)
            if now == story.NEAR + _WINDOW_STEP:
                self._wait_for_settlement()
            self.board.advance(time.strftime("%Y-%m-%d %H:%M recorded", time.gmtime(now)))

    def _open_accounts(self) -> None:
        keys = iter(range(1, _DEALER_KEY))
        for role in (story.MAKER, story.DEALER, story.LIQUIDATOR, *story.ROLES):
            trader = self.desk.trader(role.name, next(keys))
            self.desk.fund(trader, role.dollars)
            if role.coins:
                self.desk.pledge(trader, role.coins)
            self._remember(role, trader)
            self.board.advance(f"open: {role.name}")
        liquidator = self.traders[story.LIQUIDATOR.name]
        if liquidator.account != LIQUIDATOR_ACCOUNT:
            raise RuntimeError(f"the liquidator's account is {liquidator.account}, not {LIQUIDATOR_ACCOUNT}")
        self.desk.appoint(liquidator, self.desk.keepers.liquidator)
        self.desk.stake(self.desk.trader("staker", _STAKER_KEY), story.INSURANCE)
        self.insurance_before = self.desk.fund_assets()

    def _remember(self, role: Role, trader: Trader) -> None:
        self.traders[role.name] = trader
        self.history.add(trader.account, role)

    def _epoch(self, now: int) -> dict[int, Figures]:
        number = self.clock.epoch_at(now)
        figures = self.history.record(number, self.clock.now)
        self.board.show(self.clock.now, figures)
        return figures

    def _liquidate(self, now: int, figures: dict[int, Figures]) -> None:
        """While somebody is below the margin or in auction: time in short steps, for the price to fall."""
        for _ in range(_AUCTION_STEPS):
            if not self._is_urgent(figures):
                return
            self.clock.wait_until_quiet()
            figures = self._epoch(self.clock.now + _AUCTION_STEP)

    def _is_urgent(self, figures: dict[int, Figures]) -> bool:
        if LIQUIDATOR not in self.desk.keepers.processes:
            return False
        protected = {a for a, role in self.history.roles.items() if role.fully_collateralised}
        return any(f.in_auction or f.is_below for a, f in figures.items() if a not in protected)

    def _trade(self, now: int) -> None:
        maker = self.traders[story.MAKER.name]
        for role, deal in story.deals_at(now):
            quantity = round(deal.coins * 1_000) * WAD // 1_000
            self.desk.trade(maker, self.traders[role.name], deal.instrument, quantity, deal.way)
        hours = (now - story.OPENING) // _HOUR
        if now >= story.OPENING and now % _HOUR == 0 and hours % story.HEDGE_HOURS == 0:
            self._hedge(now)

    def _hedge(self, now: int) -> None:
        """The maker brings its deltas near zero on the perpetuals."""
        maker, dealer = self.traders[story.MAKER.name], self.traders[story.DEALER.name]
        epoch = self.desk.epoch()
        maker.book = self.desk.book_of(maker.account)
        for underlying, digits in ((story.BTC, 2), (story.ETH, 1)):
            perp = story.perp(underlying)
            spot = self.desk.mark(epoch, perp) / WAD
            coins = round(story.delta(maker.book, underlying, spot, now), digits)
            if abs(coins) * spot >= story.LEAST_HEDGE:
                self.desk.trade(maker, dealer, perp, round(coins * 1_000) * WAD // 1_000, "headroom")

    def _switch_operator(self, now: int) -> None:
        """The operator of the only liquidator goes down, and comes back."""
        if now == story.OUTAGE[0]:
            self.desk.keepers.stop(LIQUIDATOR)
        if now == story.OUTAGE[1] - _HOUR:
            self.desk.keepers.start(LIQUIDATOR)
            self.desk.keepers.wait_until_live()

    def _wait_for_settlement(self) -> None:
        """Until the settler has turned every leg of the near expiry into cash."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            if not self._has_expired_legs():
                return
            self.desk.keepers.require_alive()
            self.clock.devnet.rpc("evm_mine")
            time.sleep(0.1)
        raise RuntimeError("legs are still open after their expiry")

    def _has_expired_legs(self) -> bool:
        books = (self.desk.book_of(trader.account) for trader in self.traders.values())
        return any(Instrument.unpack(i).expiry == story.NEAR for book in books for i in book)
