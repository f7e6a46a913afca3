"""Least squares over raw SVI slices, and the way to one without arbitrage."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from keeper.pricing.svi_arbitrage import slice_arbitrage
from keeper.pricing.svi_objective import Objective, point_of, slice_of
from keeper.pricing.svi_path import calendar_gap, interpolate
from keeper.pricing.svi_slice import Svi, from_integers, nodes, scale

_PENALTIES = (3.0, 30.0, 300.0)
_BLENDS = np.linspace(0.0, 1.0, 65)[1:]
_FLAT_WING = 1e-6
_ROUNDING_LIFTS = (0.0, 1e-11, 1e-10, 1e-9, 1e-8)
_LIFTS = (0.0, 1e-3, 1e-2, 0.1, 1.0)


def is_fair(x: Svi, floor: Svi | None = None, ceiling: Svi | None = None, on_path: bool = True) -> bool:
    """Whether a slice, rounded as published, has no arbitrage alone, after `floor` and before `ceiling`;
    with `on_path` also nowhere on the path between them.
    """
    x = from_integers(x.quantise()) if np.all(np.isfinite(x)) else x
    if x.b <= 0.0 or slice_arbitrage(x):
        return False
    return all(
        bool(np.all(calendar_gap(near, far, nodes(far), on_path) >= 0.0))
        for near, far in ((floor, x), (x, ceiling))
        if near is not None and far is not None
    )


def polished(objective: Objective, found: Sequence[Svi], penalty: float, quick: bool = False) -> Svi:
    """The best end of Levenberg-Marquardt from several slices; `penalty` 0 leaves arbitrage out of account,
    `quick` stops where errors no longer change by a millionth.
    """
    from scipy.optimize import least_squares  # half a second to import, and only calibration needs it

    runs = [
        least_squares(
            lambda x: objective.residuals(x[None, :], penalty)[0],
            point_of(start),
            jac=lambda x: objective.jacobian(x, penalty),
            method="lm",
            x_scale="jac",
            ftol=1e-6 if quick else 1e-15 if penalty == 0.0 else 1e-7,
            xtol=1e-12,
            gtol=1e-15,
            max_nfev=20 if quick else 60,
        )
        for start in found
    ]
    best = min(runs, key=lambda run: float(run.cost))
    return slice_of(best.x)


def without_arbitrage(objective: Objective, found: Sequence[Svi]) -> Svi:
    """The first of `found` if it has no arbitrage, else the best slice that has none: fitted from each of
    `found` with growing penalties, and where that does not do, moved on to one that is sure to have none.

    Raises:
        ValueError: there is none, as the floor itself has arbitrage.
    """
    if _is_fair(objective, found[0]):
        return found[0]
    fair = []
    for start in found:
        x = start
        for penalty in _PENALTIES:
            x = polished(objective, [x], penalty)
            if _is_fair(objective, x):
                fair.append(x)
                break
    if not fair:
        fair = list(islice((x for x in _escapes(found[0], objective.floor) if _is_fair(objective, x)), 1))
    if fair:
        return min(fair, key=lambda x: error_of(objective, x))
    if objective.ceiling is None:
        raise ValueError("svi: no slice without arbitrage follows the floor; repair the floor first")
    return without_arbitrage(replace(objective, ceiling=None), found)


def error_of(objective: Objective, x: Svi) -> float:
    """Sum of squared errors of the quotes."""
    return float(np.sum(objective.errors(x) ** 2))


def _is_fair(objective: Objective, x: Svi) -> bool:
    return is_fair(x, objective.floor, objective.ceiling, objective.on_path)


def _escapes(x: Svi, floor: Svi | None) -> Iterator[Svi]:
    """Slices ever further from `x`: raised, blended with a flat one or with a raised floor, the floor."""
    level = max(x.at_money, 1e-9)
    for lift in _LIFTS[1:-1]:
        yield x._replace(a=x.a + lift * level)
    if floor is None:
        flat = Svi(level, _FLAT_WING, 0.0, 0.0, 1.0)
        yield from (interpolate(x, flat, float(share)) for share in _BLENDS)
        return
    for lift in _LIFTS[1:]:
        above = scale(floor, 1.0 + lift)._replace(a=floor.a * (1.0 + lift) + lift * floor.at_money)
        yield from (interpolate(x, above, float(share)) for share in _BLENDS)
    # rounded as published a slice may lie a little below itself
    yield from (floor._replace(a=floor.a + lift) for lift in _ROUNDING_LIFTS)
