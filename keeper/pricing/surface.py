"""A volatility surface: raw SVI at some expiries, and rules for every other.

At a fixed log-moneyness ln(K / F), F the expiry's own forward:

- between two expiries total variance is linear in time, so it never falls;
- before the first it is proportional to time, which keeps the first smile and cannot make a butterfly;
- after the last, what the at-the-money variance gained per year up to there is added at every moneyness
  alike: smiles flatten, as they do between quoted expiries;
- beyond the quoted strikes the slice's own wings go on, linear in log-moneyness and inside Lee's bound.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_arbitrage import arbitrage
from keeper.pricing.svi_objective import Objective
from keeper.pricing.svi_path import interpolate
from keeper.pricing.svi_slice import Svi, nodes, scale, total_variance
from keeper.pricing.svi_solver import is_fair, without_arbitrage
from keeper.units.constants import SECONDS_PER_YEAR


@dataclass(frozen=True)
class Tenor:
    """One expiry: unix seconds, years to it, forward in USD, slice."""

    expiry: int
    years: float
    forward: float
    slice: Svi


@dataclass(frozen=True)
class Surface:
    """Tenors, nearest first.

    Raises:
        ValueError: no tenor, tenors out of order, or arbitrage; says which.
    """

    tenors: tuple[Tenor, ...]

    def __post_init__(self) -> None:
        """Check what every other method relies on."""
        years = [t.years for t in self.tenors]
        if not years or years[0] <= 0.0 or any(b <= a for a, b in zip(years, years[1:], strict=False)):
            raise ValueError("surface: tenors must be given, alive and in order of time")
        problems = arbitrage([t.slice for t in self.tenors])
        if problems:
            raise ValueError(f"surface: {problems[0]}; repair the slices first")

    @cached_property
    def _expiries(self) -> list[int]:
        return [t.expiry for t in self.tenors]

    def vol(self, strike: npt.ArrayLike, expiry: int) -> Floats:
        """Vol at strikes (USD) of one expiry (unix seconds).

        Raises:
            LookupError: the expiry has passed.
        """
        k = np.log(np.asarray(strike, dtype=np.float64) / self.forward(expiry))
        return np.asarray(np.sqrt(self.total_variance(k, expiry) / self.years(expiry)))

    def total_variance(self, log_moneyness: npt.ArrayLike, expiry: int) -> Floats:
        """Total variance at ln(K / F) of one expiry. Raises LookupError when it has passed."""
        k = np.asarray(log_moneyness, dtype=np.float64)
        near, far, share = self._around(expiry)
        low = np.zeros_like(k) if near is None else total_variance(parameters=near.slice, log_moneyness=k)
        if far is None:
            return np.asarray(low + share * self._gain)
        return np.asarray(low + (total_variance(parameters=far.slice, log_moneyness=k) - low) * share)

    def slice_at(self, expiry: int) -> Svi:
        """Raw SVI of any expiry, as `slices_at` of it alone."""
        return self.slices_at([expiry])[0]

    def slices_at(self, expiries: Sequence[int]) -> list[Svi]:
        """Raw SVI of expiries in order of time, to publish: free of arbitrage alone and from one to the next.

        Exact at the tenors, before the first and after the last; in between the slice that `interpolate`
        gives, or the raw SVI nearest to the linear rule where that one crosses a neighbour.

        Raises:
            LookupError: an expiry has passed.
        """
        found: list[Svi] = []
        previous = None
        for expiry in expiries:
            near, _, _ = self._around(expiry)
            after_tenor = near is not None and (previous is None or near.expiry >= previous)
            floor = near.slice if near is not None and after_tenor else (found[-1] if found else None)
            found.append(self._slice(expiry, floor))
            previous = expiry
        return found

    def _slice(self, expiry: int, floor: Svi | None) -> Svi:
        near, far, share = self._around(expiry)
        if near is None:
            return scale(self.tenors[0].slice, share)
        if far is None:
            return near.slice._replace(a=near.slice.a + share * self._gain)
        if share == 1.0:
            return far.slice
        found = interpolate(near.slice, far.slice, share)
        if is_fair(found, floor, far.slice, on_path=False):
            return found
        k = nodes(found)
        w = self.total_variance(k, expiry)
        weight = np.full(k.shape, 1.0 / np.sqrt(np.sum(w * w)))
        objective = Objective(k, w, weight, found.at_money, floor, far.slice, on_path=False)
        return without_arbitrage(objective, [found])

    def forward(self, expiry: int) -> float:
        """Forward of any expiry: its logarithm is linear in time, flat before the first and after the last
        tenor.
        """
        at = [t.years for t in self.tenors]
        return float(np.exp(np.interp(self.years(expiry), at, [np.log(t.forward) for t in self.tenors])))

    def years(self, expiry: int) -> float:
        """Years to any expiry, in the measure of the tenors' own. Raises LookupError when it has passed."""
        near, far, share = self._around(expiry)
        start = near.years if near else 0.0
        return start + share if far is None else start + (far.years - start) * share

    @property
    def _gain(self) -> float:
        """At-the-money variance a year gained up to the last tenor."""
        last = self.tenors[-1]
        if len(self.tenors) == 1:
            return last.slice.at_money / last.years
        before = self.tenors[-2]
        return (last.slice.at_money - before.slice.at_money) / (last.years - before.years)

    def _around(self, expiry: int) -> tuple[Tenor | None, Tenor | None, float]:
        """The tenor before, the tenor at or after, and the share of the way; after the last, years beyond."""
        index = bisect_left(self._expiries, expiry)
        first, last = self.tenors[0], self.tenors[-1]
        if index == len(self.tenors):
            return last, None, (expiry - last.expiry) * _years_per_second(self.tenors)
        far = self.tenors[index]
        if index == 0:
            share = 1.0 - (first.expiry - expiry) * _years_per_second(self.tenors) / first.years
            if share <= 0.0:
                raise LookupError(f"surface: expiry {expiry} has passed; ask for a later one")
            return None, far, share
        near = self.tenors[index - 1]
        return near, far, (expiry - near.expiry) / (far.expiry - near.expiry)


def _years_per_second(tenors: Sequence[Tenor]) -> float:
    """In the measure of the tenors' own years; of one tenor alone, 365 days."""
    first, last = tenors[0], tenors[-1]
    if first is last:
        return 1.0 / SECONDS_PER_YEAR
    return (last.years - first.years) / (last.expiry - first.expiry)
