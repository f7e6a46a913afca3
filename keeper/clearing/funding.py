"""Funding of perps: what one long unit has paid since the start, and what it pays.

Index and rate are WAD, per unit and, of the rate, a second; a positive rate is paid by longs. The index is
a multiple of 1e8 and quantities are multiples of 1e10, so what every position pays is exact, and all of it
adds up to nothing whoever is touched in which order.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import FUNDING_STEP, MAX_FUNDING_GAP
from keeper.units.fixed_point import signed_mul_down


@dataclass(frozen=True, slots=True)
class Funding:
    """Of one perp; `index` before it is rounded, `updated` unix seconds."""

    index: int = 0
    rate: int = 0
    updated: int = 0

    def index_at(self, now: int) -> int:
        """The index at a later time, rounded towards zero to a multiple of 1e8."""
        exact = self._exact_at(now)
        steps = abs(exact) // FUNDING_STEP * FUNDING_STEP
        return steps if exact > 0 else -steps

    def with_rate(self, rate: int, now: int) -> "Funding":
        """With another rate from now on. Goes on from the exact index: many updates round no more than
        one."""
        return Funding(self._exact_at(now), rate, now)

    def _exact_at(self, now: int) -> int:
        """Before rounding. A rate that nobody renews stops."""
        return self.index + self.rate * min(now - self.updated, MAX_FUNDING_GAP)


def accrued(quantity: int, entry: int, index: int) -> int:
    """Cash that a position has received since its last touch, at which the index was `entry`."""
    return signed_mul_down(quantity, entry - index)


def is_perp(instrument: int) -> bool:
    """Whether an instrument pays funding."""
    return Instrument.unpack(instrument).kind == Kind.PERP


def of_book(positions: Mapping[int, int], entries: Mapping[int, int], indices: Mapping[int, int]) -> int:
    """Accrued on all perps of a book; entry and present indices by instrument, 0 where there is none."""
    return sum(
        accrued(quantity, entries.get(i, 0), indices.get(i, 0))
        for i, quantity in positions.items()
        if is_perp(i)
    )
