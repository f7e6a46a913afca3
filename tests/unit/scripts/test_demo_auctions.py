"""What the demo makes of the events of auctions."""

from types import SimpleNamespace
from typing import Any

import pytest

from keeper.units.constants import WAD
from scripts._demo_auctions import auctions_of, history_of

_TERMS = {
    "start": 98 * WAD // 100,
    "floor": 80 * WAD // 100,
    "duration": 900,
    "bonus": WAD // 2,
    "bonusDuration": 3_600,
}
_FLAGGED = {"account": 7, "solvent": True, "equity": 9 * WAD, "maintenanceMargin": 10 * WAD}


class _Desk:
    """An auction house whose logs are given: (block, name, fields); a block is ten seconds."""

    def __init__(self, *logs: tuple[int, str, dict[str, Any]]) -> None:
        self._logs = [
            {"blockNumber": block, "logIndex": index, "event": name, "args": fields}
            for index, (block, name, fields) in enumerate(logs)
        ]

    def contract(self, _name: str) -> Any:
        return SimpleNamespace(events=self)

    def __getitem__(self, name: str) -> Any:
        found = [log for log in self._logs if log["event"] == name]
        return lambda: SimpleNamespace(get_logs=lambda from_block: found)

    def time_of(self, block: int) -> int:
        return 10 * block


def _bid(fraction: int, price: int = WAD, payout: int = 0) -> dict[str, Any]:
    return {"account": 7, "fraction": fraction, "price": price, "payout": payout}


def test_auctions_of__two_bids__what_is_sold_is_a_fraction_of_what_was_left() -> None:
    desk = _Desk(
        (1, "AuctionStarted", _FLAGGED),
        (4, "AuctionBid", _bid(WAD // 2)),
        (5, "AuctionBid", _bid(WAD // 2)),
        (5, "AuctionEnded", {"account": 7, "reason": 0}),
    )
    (auction,) = auctions_of(desk)
    assert auction.sold == 3 * WAD // 4
    assert auction.is_partial
    assert (auction.started, auction.ended, auction.outcome) == (10, 50, "restored to its initial margin")


def test_auctions_of__sold_whole__not_partial() -> None:
    desk = _Desk((1, "AuctionStarted", _FLAGGED), (4, "AuctionBid", _bid(WAD)))
    (auction,) = auctions_of(desk)
    assert not auction.is_partial and auction.outcome == "open"


def test_auctions_of__flagged_again__an_auction_of_its_own() -> None:
    desk = _Desk(
        (1, "AuctionStarted", _FLAGGED),
        (2, "AuctionEnded", {"account": 7, "reason": 1}),
        (9, "AuctionStarted", _FLAGGED),
    )
    first, second = auctions_of(desk)
    assert (first.outcome, first.is_partial) == ("recovered by itself", False)
    assert (second.started, second.bids) == (90, [])


@pytest.mark.parametrize(("solvent", "expected"), [(True, 30), (False, 10)])
def test_elapsed__after_an_update__begins_anew_only_where_solvency_changed(
    solvent: bool, expected: int
) -> None:
    desk = _Desk((1, "AuctionStarted", _FLAGGED), (3, "AuctionUpdated", {**_FLAGGED, "solvent": solvent}))
    (auction,) = auctions_of(desk)
    assert auction.elapsed(40) == expected
    assert auction.insolvent is not solvent


def test_history_of__solvent__curve_falls_from_the_start_and_bids_lie_on_it() -> None:
    desk = _Desk((1, "AuctionStarted", _FLAGGED), (10, "AuctionBid", _bid(WAD // 4, price=2 * WAD)))
    history = history_of(auctions_of(desk)[0], "long", _TERMS)
    assert history.curve[0] == (10, 0.98)
    assert history.curve[-1][1] == pytest.approx(0.98 - 0.18 * 300 / 900)
    (bid,) = history.bids
    assert (bid.time, bid.fraction, bid.amount) == (100, 0.25, 2.0)
    assert bid.level == pytest.approx(0.98 - 0.18 * 90 / 900)


def test_history_of__insolvent__rises_from_nothing_and_shows_the_payout() -> None:
    flagged = {**_FLAGGED, "solvent": False, "equity": -WAD}
    desk = _Desk((0, "AuctionStarted", flagged), (36, "AuctionBid", _bid(WAD, price=0, payout=3 * WAD)))
    history = history_of(auctions_of(desk)[0], "long", _TERMS)
    assert history.insolvent and history.equity == -1.0
    assert history.curve[0] == (0, 0.0)
    assert (history.bids[0].amount, history.bids[0].level) == (3.0, 0.05)
