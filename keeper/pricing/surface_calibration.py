"""All expiries of one underlying at once: raw SVI where quotes suffice, SSVI where they do not, and no
arbitrage between them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from keeper.pricing import ssvi
from keeper.pricing.ssvi import Quotes, Ssvi
from keeper.pricing.svi_arbitrage import arbitrage
from keeper.pricing.svi_calibration import fit_freely, median_error, reweighted
from keeper.pricing.svi_objective import Objective
from keeper.pricing.svi_slice import Svi, from_integers
from keeper.pricing.svi_solver import is_fair, polished, without_arbitrage

LEAST_QUOTES = 5
# quotes of a venue are far apart in quality: look for the least median error
_TUNING = 0.5
Progress = Callable[[float], None]
# median error, as a share of the vol, at which a slice is tried without a prior
_PRIOR_COST = 0.01
# of crossing a neighbour, in rounds: both give way a little before either must
_PENALTIES = np.geomspace(0.01, 30.0, 12)
# an SSVI slice may bend towards quotes from this many on
_LEAST_BENDING = 3


@dataclass(frozen=True)
class CalibratedSlice:
    """One expiry.

    Attributes:
        parameters: free of arbitrage, alone and beside the other expiries.
        method: "svi", or "ssvi" for an expiry with fewer than five quotes.
        problems: the arbitrage that the best fit to the expiry's own quotes had, and that is removed.
    """

    parameters: Svi
    method: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class CalibratedSurface:
    """Slices, nearest expiry first, and the SSVI surface under them."""

    shared: Ssvi
    slices: tuple[CalibratedSlice, ...]


@dataclass
class _Work:
    """One expiry while it is fitted."""

    objective: Objective
    x: Svi
    method: str


def calibrate_surface(
    expiries: Sequence[Quotes],
    warm_start: Sequence[Svi | None] = (),
    progress: Progress = lambda share: None,
    on_path: bool = False,
) -> CalibratedSurface:
    """Slices without arbitrage, next to the quotes.

    An SSVI surface is fitted to all quotes. It is an expiry's slice where there are fewer than five, and
    elsewhere what the wings beyond the quotes tend to. Each expiry is then fitted to its own quotes; where
    neighbours cross, the one of the two gives way that loses less by it.

    Args:
        expiries: quotes, nearest expiry first, each with at least one.
        warm_start: the last fit's slices, by expiry.
        progress: told the share of the work that is done.
        on_path: total variance must not fall anywhere on the paths of `svi.interpolate` either.

    Raises:
        ValueError: no expiry, or one without quotes.
    """
    shared, thetas = ssvi.calibrate(expiries)
    starts = [*warm_start, *[None] * len(expiries)]
    work = []
    for quotes, theta, start in zip(expiries, thetas, starts, strict=False):
        work.append(_first(quotes, shared.slice(theta), start, on_path))
        progress(len(work) / len(expiries) / 2.0)
    free = [w.x for w in work]
    for index, each in enumerate(work):
        if not is_fair(each.x):
            _refit(work, index, None)
    for done, penalty in enumerate(_PENALTIES, start=1):
        _soften(work, penalty)
        progress(0.5 + done / len(_PENALTIES) / 2.0)
    for index in range(1, len(work)):
        if not _fits(work, index - 1):
            _refit(work, index, work[index - 1].x)
    return CalibratedSurface(
        shared,
        tuple(
            CalibratedSlice(_published(w.x), w.method, _problems(free, i, w.x)) for i, w in enumerate(work)
        ),
    )


def _first(quotes: Quotes, prior: Svi, start: Svi | None, on_path: bool) -> _Work:
    if np.unique(quotes.k).size >= LEAST_QUOTES:
        objective, x = _freely(quotes, prior, start)
        return _Work(replace(objective, on_path=on_path), x, "svi")
    weight = np.sqrt(quotes.weights)
    weight = weight / np.sqrt(np.sum((weight * quotes.variance) ** 2))
    objective = Objective(quotes.k, quotes.variance, weight, prior.at_money, on_path=on_path, prior=prior)
    bent = np.unique(quotes.k).size >= _LEAST_BENDING
    return _Work(objective, polished(objective, [prior], 0.0) if bent else prior, "ssvi")


def _freely(quotes: Quotes, prior: Svi, start: Svi | None) -> tuple[Objective, Svi]:
    """The best slice, with the prior for its wings unless the quotes suffer from it."""
    with_prior = fit_freely(*quotes, prior, start, _TUNING)
    error = median_error(*with_prior)
    if error > _PRIOR_COST:
        alone = fit_freely(*quotes, None, start, _TUNING)
        if is_fair(alone[1]) and median_error(*alone) < error:
            return alone
    return with_prior


def _fits(work: Sequence[_Work], near: int) -> bool:
    return is_fair(work[near + 1].x, work[near].x, None, work[near].objective.on_path)


def _soften(work: Sequence[_Work], penalty: float) -> None:
    """Fit again each expiry that crosses a neighbour, every crossing at the price of `penalty`."""
    for index, each in enumerate(work):
        before = index > 0 and not _fits(work, index - 1)
        after = index + 1 < len(work) and not _fits(work, index)
        if before or after:
            objective = _between(work, index)
            each.x = polished(objective, [each.x], penalty, quick=True)


def _between(work: Sequence[_Work], index: int) -> Objective:
    """An expiry's objective with its neighbours as bounds."""
    each = work[index]
    objective = reweighted(each.objective, each.x, _TUNING) if each.method == "svi" else each.objective
    floor = work[index - 1].x if index else None
    ceiling = work[index + 1].x if index + 1 < len(work) else None
    return replace(objective, floor=floor, ceiling=ceiling)


def _refit(work: Sequence[_Work], index: int, floor: Svi | None) -> None:
    each = work[index]
    objective = reweighted(each.objective, each.x, _TUNING) if each.method == "svi" else each.objective
    each.x = without_arbitrage(replace(objective, floor=floor), [each.x])


def _published(x: Svi) -> Svi:
    return from_integers(x.quantise())


def _problems(free: Sequence[Svi], index: int, final: Svi) -> tuple[str, ...]:
    if free[index] == final:
        return ()
    first = max(index - 1, 0)
    found = arbitrage(free[first : index + 2])
    return tuple(found) or ("svi: made room for a neighbouring expiry",)
