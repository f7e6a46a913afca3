"""Calibration of one raw SVI slice to quotes. Not attested: published slices are checked, not recomputed."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_objective import Objective
from keeper.pricing.svi_slice import Svi
from keeper.pricing.svi_solver import polished, without_arbitrage
from keeper.pricing.svi_start import starts

_LEAST_QUOTES = 5
_STARTS = 3
_REWEIGHTINGS = 6
# Cauchy's constant of 95 % efficiency with normal errors, in robust standard deviations: errors beyond lose
# their weight, and outliers all of it (Holland and Welsch, Communications in Statistics A6 (1977), 813-827)
CAUCHY = 2.385
_DEVIATIONS_PER_MAD = 1.4826
_LEAST_DEVIATION = 1e-7  # share of the variance: below it errors are rounding


def calibrate(
    *,
    log_moneyness: npt.ArrayLike,
    variance: npt.ArrayLike,
    weights: npt.ArrayLike = 1.0,
    warm_start: Svi | None = None,
    floor: Svi | None = None,
    ceiling: Svi | None = None,
    on_path: bool = True,
    prior: Svi | None = None,
    tuning: float = CAUCHY,
) -> Svi:
    """Robust weighted least squares under the conditions of no arbitrage.

    A grid of quasi-explicit solutions gives the starts, Levenberg-Marquardt in all five parameters finishes;
    quotes far off the fit lose weight (Cauchy). Where the best slice has arbitrage, it is fitted again with
    the conditions as growing penalties.

    Args:
        log_moneyness: ln(K / F) of the quotes, at least five.
        variance: total implied variance of the quotes.
        weights: non-negative, of the squared errors in total variance (vega over spread, squared, is usual).
        warm_start: parameters to start from too, for instance the last fit.
        floor: the next nearer expiry's slice; total variance must not fall from it.
        ceiling: the next later expiry's slice; total variance must not fall to it.
        prior: a slice without arbitrage that the fit is drawn to, weakly, beyond the quotes.
        on_path: total variance must not fall anywhere on the path that `interpolate` takes either.

        tuning: robust standard deviations beyond which a quote loses its weight; small ones lead to the least
            median error, large ones to least squares.

    Returns a slice free of arbitrage alone and after `floor`; before `ceiling` too where one exists.

    Raises:
        ValueError: fewer than five quotes with weight, or one that is not finite or not positive.
    """
    objective, best = fit_freely(log_moneyness, variance, weights, prior, warm_start, tuning)
    objective = replace(objective, floor=floor, ceiling=ceiling, on_path=on_path)
    return without_arbitrage(objective, [best, *starts(objective.k, objective.w, objective.weight, 1)])


def fit_freely(
    log_moneyness: npt.ArrayLike,
    variance: npt.ArrayLike,
    weights: npt.ArrayLike,
    prior: Svi | None = None,
    warm_start: Svi | None = None,
    tuning: float = CAUCHY,
) -> tuple[Objective, Svi]:
    """The best slice with arbitrage left out of account, and the objective with what weight quotes keep.

    Arguments and errors are those of `calibrate`.
    """
    k, w, weight = _quotes(log_moneyness, variance, weights)
    found = starts(k, w, weight, _STARTS)
    if warm_start is not None:
        found.insert(0, warm_start)
    objective = Objective(k, w, weight, float(np.interp(0.0, *_sorted(k, w))), prior=prior)
    best = polished(objective, found, 0.0)
    fits = [(objective, best)]
    for _ in range(_REWEIGHTINGS):
        objective, best = fits[-1]
        robust = reweighted(objective, best, tuning)
        if np.allclose(robust.weight, objective.weight, rtol=1e-3):
            break
        fits.append((robust, polished(robust, [best], 0.0, quick=True)))
    return min(fits, key=lambda fit: median_error(*fit))


def median_error(objective: Objective, x: Svi) -> float:
    """Median absolute error in vol, no quote left out, as a share of the vol at the money."""
    scale = 0.5 / np.sqrt(objective.w * objective.at_money)
    return float(np.median(np.abs(replace(objective, weight=scale).errors(x))))


def reweighted(objective: Objective, found: Svi, tuning: float) -> Objective:
    """The objective with the weights that quotes keep beside a slice: what is far off it loses its weight."""
    full = objective.full_weight
    error = np.abs(replace(objective, weight=full).errors(found))
    deviation = max(_DEVIATIONS_PER_MAD * float(np.median(error)), _LEAST_DEVIATION / np.sqrt(error.size))
    return replace(objective, weight=full / np.sqrt(1.0 + (error / (tuning * deviation)) ** 2), full=full)


def _quotes(k: npt.ArrayLike, w: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    k, w, weights = (np.asarray(x, dtype=np.float64) for x in np.broadcast_arrays(k, w, weights))
    if not (np.all(np.isfinite(k)) and np.all(np.isfinite(w)) and np.all(np.isfinite(weights))):
        raise ValueError("svi: a quote is not finite; leave it out")
    if np.any(w <= 0.0) or np.any(weights < 0.0):
        raise ValueError("svi: a variance is not positive or a weight negative; leave the quote out")
    used = weights > 0.0
    if np.unique(k[used]).size < _LEAST_QUOTES:
        raise ValueError("svi: fewer than five quotes")
    k, w, weight = k[used], w[used], np.sqrt(weights[used])
    return k, w, weight / np.sqrt(np.sum((weight * w) ** 2))


def _sorted(k: Floats, w: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(k)
    return k[order], w[order]
