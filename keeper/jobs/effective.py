"""Effective spots: the oracle's band state, replayed from its own events, so that its edge is reproduced to the unit.

Reference prices: for the minute the last effective spot at the last epoch's time; for ten minutes and the hour anchors,
which tumble to the last effective spot once they are older than their window. Prices 1e-8 USD, times unix seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keeper.chain.contracts import ORACLE
from keeper.jobs.desk import Desk
from keeper.jobs.observe import ChainView
from keeper.units.constants import BASIS_POINTS

_WINDOWS = (60, 600, 3_600)
_LOW_64 = 2**64 - 1


@dataclass(frozen=True, slots=True)
class BandState:
    """One underlying: (price, time) that each window measures from; the minute's is the last effective spot itself."""

    minute: tuple[int, int]
    ten_minutes: tuple[int, int]
    hour: tuple[int, int]

    def tumbled(self, now: int) -> "BandState":
        """With every anchor that is older than its window moved to the last effective spot."""
        anchors = [
            self.minute if now - anchor[1] > window else anchor
            for anchor, window in zip((self.ten_minutes, self.hour), _WINDOWS[1:], strict=True)
        ]
        return BandState(self.minute, anchors[0], anchors[1])

    def edges(self, bands: Iterable[int], now: int) -> tuple[int, int]:
        """Lowest and highest effective spot at `now`; `bands` in basis points for the three windows."""
        lower, upper = 0, 2**56 - 1
        references = (self.minute, self.ten_minutes, self.hour)
        for (price, since), budget, window in zip(references, bands, _WINDOWS, strict=True):
            limit = budget * max(window, now - since) // window
            lower = max(lower, price * max(BASIS_POINTS - limit, 0) // BASIS_POINTS)
            upper = min(upper, price * (BASIS_POINTS + limit) // BASIS_POINTS)
        return lower, upper


def effective_spots(desk: Desk, view: ChainView, posted: Mapping[int, int]) -> dict[int, int]:
    """The spot inside the bands per underlying, were `posted` the next epoch, at the time of the view's block."""
    now = view.block.timestamp
    states = band_states(desk, view.block.number)
    budgets = desk.protocol.bands(view.block.hash, len(view.spots))
    found = {}
    for underlying, budget in enumerate(budgets, start=1):
        lower, upper = states[underlying].tumbled(now).edges(budget, now)
        found[underlying] = min(max(posted[underlying], lower), upper)
    return found


def band_states(desk: Desk, until: int) -> dict[int, BandState]:
    """Band state per underlying after every epoch up to and including block `until`."""
    states: dict[int, BandState] = {}
    added = [(e.seq, e) for e in desk.index.events(ORACLE, "UnderlyingAdded", until)]
    posted = [(e.seq, e) for e in desk.index.events(ORACLE, "EpochPosted", until)]
    for _, event in sorted([*added, *posted], key=lambda pair: pair[0]):
        if event.name == "UnderlyingAdded":
            block = desk.index.block(event.block_number)
            origin = (event.payload["spot"], block.timestamp if block else 0)
            states[event.payload["underlying"]] = BandState(origin, origin, origin)
            continue
        now = event.payload["timestamp"]
        for underlying, word in enumerate(event.payload["spots"], start=1):
            before = states[underlying].tumbled(now)
            states[underlying] = BandState((word & _LOW_64, now), before.ten_minutes, before.hour)
    return states
