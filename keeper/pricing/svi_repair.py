"""Slices and surfaces with arbitrage, moved to near ones without."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_arbitrage import falls, slice_arbitrage
from keeper.pricing.svi_objective import MIN_SIGMA, Objective
from keeper.pricing.svi_slice import Svi, nodes, total_variance
from keeper.pricing.svi_solver import is_fair, without_arbitrage

_LEAST_WING = 1e-6
_STEEPEST_RHO = 1.0 - 1e-9


class Repaired(NamedTuple):
    """A surface without arbitrage, and what was done to it, one sentence a slice that was changed."""

    slices: tuple[Svi, ...]
    changes: tuple[str, ...]


def repair(slices: Sequence[Svi]) -> Repaired:
    """The surface without arbitrage next to one, nearest expiry first.

    A slice without arbitrage is left as it is. Another is fitted to its own variances, each weighted by the
    normal density of its moneyness, under the conditions; a later slice gives way to an earlier one, and
    total variance grows on the whole path between them.

    Raises:
        ValueError: a parameter is not finite.
    """
    done: list[Svi] = []
    changes = []
    for index, x in enumerate(slices):
        floor = done[-1] if done else None
        done.append(_repaired(x, floor))
        if done[-1] != x:
            changes.append(f"slice {index}: {_change(x, done[-1], floor)}")
    return Repaired(tuple(done), tuple(changes))


def _repaired(x: Svi, floor: Svi | None) -> Svi:
    if not np.all(np.isfinite(x)):
        raise ValueError("svi: a parameter is not finite; fit the slice again")
    if is_fair(x, floor):
        return x
    start = Svi(
        x.a,
        max(x.b, _LEAST_WING),
        float(np.clip(x.rho, -_STEEPEST_RHO, _STEEPEST_RHO)),
        x.m,
        max(abs(x.sigma), MIN_SIGMA),
    )
    level = max(start.at_money, 1e-6)
    k = nodes(Svi(level, 0.0, 0.0, 0.0, 1.0))
    target = np.maximum(total_variance(parameters=start, log_moneyness=k), 1e-3 * level)
    weight = np.exp(-(k**2) / (4.0 * level)) + 1e-2
    weight /= np.sqrt(np.sum((weight * target) ** 2))
    return without_arbitrage(Objective(k, target, weight, level, floor), [start])


def _change(before: Svi, after: Svi, floor: Svi | None) -> str:
    reasons = [text.removeprefix("svi: ") for text in slice_arbitrage(before)]
    if floor is not None and "parameters outside their domain" not in reasons and falls(floor, before):
        reasons.append("calendar arbitrage")
    what = ", ".join(reasons) or "total variance falls between it and the slice before"
    moved = f"variance at the money {before.at_money:.6g} -> {after.at_money:.6g}"
    return f"{what}; {moved}, {_largest(before, after)}"


def _largest(before: Svi, after: Svi) -> str:
    k = nodes(after)
    old, new = (_variances(x, k) for x in (before, after))
    at = int(np.argmax(np.abs(new - old)))
    return f"largest change {new[at] - old[at]:+.6g} at ln(K/F) {k[at]:+.3f}"


def _variances(x: Svi, k: Floats) -> Floats:
    return total_variance(parameters=x, log_moneyness=k)
