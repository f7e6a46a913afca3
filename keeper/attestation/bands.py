"""Bands that effective spots stay in, as `contracts/attestation/RiskOracle.vy` computes them.

A posted spot outside its bands is not refused but followed at their edge. Prices are 1e-8 USD integers,
times and ages seconds, bands basis points. The minute band starts from the last effective spot; the
ten-minute and hour bands from anchors that move to the last effective spot once they are older than their
window. Two anchors can lie in a rolling window, so it sees at most three times the budget: from the lower
edge of the first to the upper edge of the second.
"""

from dataclasses import dataclass
from typing import NamedTuple

from keeper.units.constants import BASIS_POINTS, MAX_PRICE

MINUTE = 60
TEN_MINUTES = 600
HOUR = 3_600


class Bands(NamedTuple):
    """Moves allowed per minute, ten minutes and hour, basis points."""

    minute: int
    ten_minutes: int
    hour: int


class Ages(NamedTuple):
    """Ages of the ten-minute and hour anchors, seconds; the same for all underlyings of an oracle."""

    ten: int = 0
    hour: int = 0

    def after(self, elapsed: int) -> "Ages":
        """Ages `elapsed` seconds later, with overdue anchors moved to the last epoch. Not clamped."""
        ten = elapsed if self.ten > TEN_MINUTES else self.ten + elapsed
        hour = elapsed if self.hour > HOUR else self.hour + elapsed
        return Ages(ten, hour)

    def clamped(self) -> "Ages":
        """As the oracle's header stores them: more than a second too old says nothing more."""
        return Ages(min(self.ten, TEN_MINUTES + 1), min(self.hour, HOUR + 1))


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where one underlying's three bands start: the last effective spot and the two anchors."""

    effective: int
    ten: int
    hour: int

    def renewed(self, ages: Ages) -> "Anchors":
        """With the anchors that are overdue at the last epoch's `ages` moved to the last effective spot."""
        ten = self.effective if ages.ten > TEN_MINUTES else self.ten
        hour = self.effective if ages.hour > HOUR else self.hour
        return Anchors(self.effective, ten, hour)


def band(anchor: int, basis_points: int, age: int, window: int) -> tuple[int, int]:
    """Edges of one band, both rounded down, the lower at least 1; wider in proportion beyond its window."""
    limit = basis_points * max(window, age) // window
    lower = anchor * (BASIS_POINTS - min(limit, BASIS_POINTS - 1)) // BASIS_POINTS
    return max(1, lower), anchor * (BASIS_POINTS + limit) // BASIS_POINTS


def edges(anchors: Anchors, ages: Ages, elapsed: int, bands: Bands) -> tuple[int, int]:
    """Lowest and highest effective spot `elapsed` seconds after the last epoch.

    `anchors` and `ages` are those of the last epoch, as the oracle stores them. The last effective spot lies
    between the edges.
    """
    now = ages.after(elapsed)
    start = anchors.renewed(ages)
    three = (
        band(start.effective, bands.minute, elapsed, MINUTE),
        band(start.ten, bands.ten_minutes, now.ten, TEN_MINUTES),
        band(start.hour, bands.hour, now.hour, HOUR),
    )
    return max(lower for lower, _ in three), min(MAX_PRICE, *(upper for _, upper in three))


def effective_spot(
    posted: int, anchors: Anchors, ages: Ages, elapsed: int, bands: Bands
) -> tuple[int, Anchors]:
    """The spot inside the bands and the anchors after it. ValueError if `posted` is no price."""
    if not 0 < posted <= MAX_PRICE:
        raise ValueError("bands: price out of range")
    lower, upper = edges(anchors, ages, elapsed, bands)
    effective = min(max(posted, lower), upper)
    start = anchors.renewed(ages)
    return effective, Anchors(effective, start.ten, start.hour)


def is_calm(last: int, effective: int, minute: int) -> bool:
    """Whether a spot moved by at most a quarter of its minute band: if all did, the old epoch has grace."""
    return abs(effective - last) * 4 * BASIS_POINTS <= last * minute
