"""The story, hour by hour: epochs, trades, hedges, an outage, auctions, and the settlement window."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

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
_NEAR_MARGIN = 1.5  # equity over maintenance margin from which no hour of the path leads below it
_SETTLE_SECONDS = 60  # of wall clock
_STAKER_KEY = 39  # of the devnet's public keys; the accounts take the first ones


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
    figures: dict[int, Figures] = field(default_factory=dict)  # at the last epoch
    traders: dict[str, Trader] = field(default_factory=dict)

    def run(self) -> None:
        """From the first deposit to the last epoch."""
        self._open_accounts()  # while the keepers start
        self.desk.keepers.wait_until_live()
        for now, following in pairwise([*moments(), 0]):
            number = self.clock.epoch_at(now)
            if following and self._is_calm(now):
                self.clock.move_to(following)  # the keepers go on while this epoch is read
            self._record(number, now)
            self._liquidate()
            self._trade(now)
            self._switch_operator(now)
            if now == story.NEAR + _WINDOW_STEP:
                self._wait_for_settlement()
            self.board.advance(time.strftime("%Y-%m-%d %H:%M recorded", time.gmtime(now)))

    def _is_calm(self, now: int) -> bool:
        """Nothing is to be done before the next epoch, and nobody was near the margin at the last one."""
        is_switched = now in (story.OUTAGE[0], story.OUTAGE[1] - _HOUR)
        is_busy = story.deals_at(now) or self._is_time_to_hedge(now) or now == story.NEAR + _WINDOW_STEP
        return not (is_switched or is_busy or self._is_urgent(_NEAR_MARGIN))

    def _open_accounts(self) -> None:
        roles = (story.MAKER, story.DEALER, story.LIQUIDATOR, *story.ROLES)
        for key, role in enumerate(roles, start=1):
            trader = self.desk.trader(role.name, key)
            self.desk.fund(trader, role.dollars, role.isolated)
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

    def _record(self, number: int, now: int) -> None:
        self.figures = self.history.record(number)
        self.board.show(now, self.figures)

    def _liquidate(self) -> None:
        """While somebody is below the margin or in auction: time in short steps, for the price to fall."""
        for _ in range(_AUCTION_STEPS):
            if not self._is_urgent():
                return
            self.clock.wait_until_quiet()
            now = self.clock.now + _AUCTION_STEP
            self._record(self.clock.epoch_at(now), now)

    def _is_urgent(self, cover: float = 1.0) -> bool:
        """Somebody is in auction, or below `cover` times the margin, and the liquidator is there for it."""
        if LIQUIDATOR not in self.desk.keepers.processes:
            return False
        protected = {a for a, role in self.history.roles.items() if role.fully_collateralised}
        exposed = (f for account, f in self.figures.items() if account not in protected)
        return any(f.in_auction or f.equity < cover * f.maintenance for f in exposed)

    def _trade(self, now: int) -> None:
        maker = self.traders[story.MAKER.name]
        for role, deal in story.deals_at(now):
            quantity = round(deal.coins * 1_000) * WAD // 1_000
            self.desk.trade(maker, self.traders[role.name], deal.instrument, quantity, deal.way)
        if self._is_time_to_hedge(now):
            self._hedge(now)

    def _is_time_to_hedge(self, now: int) -> bool:
        hours, rest = divmod(now - story.OPENING, _HOUR)
        return hours >= 0 and rest == 0 and hours % story.HEDGE_HOURS == 0

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
