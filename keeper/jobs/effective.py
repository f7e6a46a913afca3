"""Effective spots: the edge of the oracle's bands, reproduced to the unit from its state at one block. Pure.

Reference prices: for the minute the last effective spot; for ten minutes and the hour anchors, which move
to the last
effective spot once they are older than their window. Prices 1e-8 USD, ages in seconds, bands in basis points.
"""

from collections.abc import Mapping, Sequence

from keeper.chain.contracts import Header, Spot
from keeper.units.constants import BASIS_POINTS, MAX_PRICE

_WINDOWS = (60, 600, 3_600)


def effective_spots(
    header: Header,
    spots: Sequence[Spot],
    bands: Sequence[tuple[int, int, int]],
    posted: Mapping[int, int],
    now: int,
) -> dict[int, int]:
    """The spot inside the bands per underlying, were `posted` the next epoch and `now` its time."""
    return {
        underlying: _clamped(posted[underlying], header, spot, budget, now - header.timestamp)
        for underlying, (spot, budget) in enumerate(zip(spots, bands, strict=True), start=1)
    }


def _clamped(posted: int, header: Header, spot: Spot, budget: tuple[int, int, int], elapsed: int) -> int:
    ten = _reference(spot.ten_anchor, header.ten_age, spot.effective, elapsed, _WINDOWS[1])
    hour = _reference(spot.hour_anchor, header.hour_age, spot.effective, elapsed, _WINDOWS[2])
    references = ((spot.effective, elapsed), ten, hour)
    edges = [_edges(*r, bps, w) for r, bps, w in zip(references, budget, _WINDOWS, strict=True)]
    lower, upper = max(low for low, _ in edges), min(high for _, high in edges)
    return min(max(posted, lower), min(upper, MAX_PRICE))


def _reference(anchor: int, age: int, effective: int, elapsed: int, window: int) -> tuple[int, int]:
    """Price and age that a longer band measures from."""
    return (effective, elapsed) if age > window else (anchor, age + elapsed)


def _edges(anchor: int, age: int, bps: int, window: int) -> tuple[int, int]:
    """Edges of one band; after a silence longer than its window it is wider in proportion."""
    limit = bps * max(window, age) // window
    low = anchor * (BASIS_POINTS - min(limit, BASIS_POINTS - 1)) // BASIS_POINTS
    return max(1, low), anchor * (BASIS_POINTS + limit) // BASIS_POINTS
