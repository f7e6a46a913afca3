"""What the auctions of the demo did, replayed from their events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keeper.analysis.report_data import AuctionHistory, Bid
from keeper.liquidation import auction_price
from keeper.units.constants import WAD
from scripts._demo_desk import Desk

_OUTCOMES = ("restored to its initial margin", "recovered by itself", "sold out")  # by END_*
_NAMES = ("AuctionStarted", "AuctionUpdated", "AuctionBid", "AuctionEnded")
_LEAST_SHOWN = 300  # seconds of the price that are drawn at least
_STEPS = 24


@dataclass
class Auction:
    """One auction, exact: WAD, unix seconds."""

    account: int
    started: int
    insolvent: bool
    equity: int
    maintenance: int
    touches: list[tuple[int, int]]  # time, seconds counted by then
    bids: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    ended: int = 0
    outcome: str = "open"

    @property
    def sold(self) -> int:
        """Fraction of the account that was bought, WAD."""
        left = WAD
        for _, bid in self.bids:
            left = left * (WAD - bid["fraction"]) // WAD
        return WAD - left

    @property
    def is_partial(self) -> bool:
        """Something was bought, and something was left."""
        return bool(self.bids) and self.sold < WAD

    def elapsed(self, time: int) -> int:
        """Seconds counted by a moment, as the auction house counts: gaps are short here."""
        touched, counted = max((t for t in self.touches if t[0] <= time), default=self.touches[0])
        return counted + max(0, time - touched)


@dataclass(frozen=True)
class _Event:
    time: int
    name: str
    fields: Mapping[str, Any]


def auctions_of(desk: Desk) -> list[Auction]:
    """Every auction, in order of its flag. One that turns insolvent, or solvent again, counts anew."""
    found: list[Auction] = []
    open_ones: dict[int, Auction] = {}
    for event in _events(desk):
        fields, account = event.fields, event.fields["account"]
        if event.name == "AuctionStarted":
            open_ones[account] = _started(event)
            found.append(open_ones[account])
        elif event.name == "AuctionUpdated":
            _update(open_ones[account], event)
        elif event.name == "AuctionBid":
            auction = open_ones[account]
            auction.touches.append((event.time, auction.elapsed(event.time)))
            auction.bids.append((event.time, fields))
        else:
            auction = open_ones.pop(account)
            auction.ended, auction.outcome = event.time, _OUTCOMES[fields["reason"]]
    return found


def history_of(auction: Auction, name: str, terms: Mapping[str, int]) -> AuctionHistory:
    """For the page. `terms`: IAuctionHouse.Terms."""
    last = max([auction.started + _LEAST_SHOWN, auction.ended, *(time for time, _ in auction.bids)])
    span = last - auction.started
    times = sorted({auction.started + span * i // _STEPS for i in range(_STEPS + 1)})
    bids = [
        Bid(
            time,
            bid["fraction"] / WAD,
            (bid["price"] or bid["payout"]) / WAD,
            _level(auction, time, terms),
        )
        for time, bid in auction.bids
    ]
    return AuctionHistory(
        account=name,
        insolvent=auction.insolvent,
        equity=auction.equity / WAD,
        maintenance=auction.maintenance / WAD,
        curve=[(time, _level(auction, time, terms)) for time in times],
        bids=bids,
        outcome=auction.outcome,
    )


def _level(auction: Auction, time: int, terms: Mapping[str, int]) -> float:
    elapsed = auction.elapsed(time)
    if auction.insolvent:
        return auction_price.rising(terms["bonus"], elapsed, terms["bonusDuration"]) / WAD
    return auction_price.falling(terms["start"], terms["floor"], elapsed, terms["duration"]) / WAD


def _started(event: _Event) -> Auction:
    fields = event.fields
    return Auction(
        fields["account"],
        event.time,
        not fields["solvent"],
        fields["equity"],
        fields["maintenanceMargin"],
        [(event.time, 0)],
    )


def _update(auction: Auction, event: _Event) -> None:
    """The clock goes on, or begins anew where the account is insolvent now and was not, or was and is not."""
    insolvent = not event.fields["solvent"]
    counted = auction.elapsed(event.time) if insolvent == auction.insolvent else 0
    auction.touches.append((event.time, counted))
    auction.insolvent = insolvent


def _events(desk: Desk) -> Iterable[_Event]:
    house = desk.contract("AuctionHouse")
    logs = [log for name in _NAMES for log in house.events[name]().get_logs(from_block=0)]
    for log in sorted(logs, key=lambda found: (found["blockNumber"], found["logIndex"])):
        yield _Event(desk.time_of(log["blockNumber"]), log["event"], log["args"])
