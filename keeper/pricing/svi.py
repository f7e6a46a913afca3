"""Raw SVI: one expiry's total implied variance as a function of log-moneyness.

w(k) = a + b * (rho * (k - m) + sqrt((k - m)**2 + sigma**2)), k = ln(K / F), w = vol**2 * years.

References: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14
    (2014), 59-71;
S. De Marco and C. Martini, "Quasi-explicit calibration of Gatheral's SVI model", Zeliade white paper (2009);
R. Lee, "The moment formula for implied volatility at extreme strikes", Mathematical Finance 14 (2004),
469-480.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats

SVI_UNIT = 10**12
_BUTTERFLY_NODES = 201
_LEE_BOUND = 2.0
_MIN_SIGMA = 1e-4


class Svi(NamedTuple):
    """Raw SVI parameters as floats."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def quantise(self) -> tuple[int, int, int, int, int]:
        """Integers in 1e-12, the published form."""
        a, b, rho, m, sigma = (round(x * SVI_UNIT) for x in self)
        return a, b, rho, m, sigma


def from_integers(parameters: Sequence[int]) -> Svi:
    """Raw SVI from its published integers (1e-12)."""
    a, b, rho, m, sigma = (x / SVI_UNIT for x in parameters)
    return Svi(a, b, rho, m, sigma)


def total_variance(*, parameters: Sequence[npt.ArrayLike], log_moneyness: npt.ArrayLike) -> Floats:
    """w(k) >= 0. Attested: basic operations only. Parameters broadcast against `log_moneyness`."""
    a, b, rho, m, sigma = (np.asarray(x, dtype=np.float64) for x in parameters)
    x = np.asarray(log_moneyness, dtype=np.float64) - m
    return np.asarray(np.maximum(a + b * (rho * x + np.sqrt(x * x + sigma * sigma)), 0.0))


def _derivatives(parameters: Svi, k: Floats) -> tuple[Floats, Floats, Floats]:
    x = k - parameters.m
    root = np.sqrt(x * x + parameters.sigma**2)
    w = parameters.a + parameters.b * (parameters.rho * x + root)
    return w, parameters.b * (parameters.rho + x / root), parameters.b * parameters.sigma**2 / root**3


def density(*, parameters: Svi, log_moneyness: npt.ArrayLike) -> Floats:
    """Gatheral's g(k); the risk-neutral density has its sign. -inf where the variance is not positive."""
    k = np.asarray(log_moneyness, dtype=np.float64)
    w, first, second = _derivatives(parameters, k)
    safe = np.where(w > 0.0, w, 1.0)
    g = (1.0 - k * first / (2.0 * safe)) ** 2 - first**2 / 4.0 * (1.0 / safe + 0.25) + second / 2.0
    return np.asarray(np.where(w > 0.0, g, -np.inf))


def _nodes(parameters: Svi) -> Floats:
    at_money = float(_derivatives(parameters, np.zeros(1))[0][0])
    reach = 5.0 * np.sqrt(max(at_money, 1e-12))
    return np.asarray(np.linspace(-reach, reach, _BUTTERFLY_NODES))


def slice_arbitrage(parameters: Svi) -> list[str]:
    """Violations of one slice: domain, non-negative variance, Lee's wing bound, butterfly on 201 nodes."""
    a, b, rho, _, sigma = parameters
    if not (b >= 0.0 and abs(rho) < 1.0 and sigma > 0.0):
        return ["svi: parameters outside their domain"]
    problems = []
    if a + b * sigma * np.sqrt(1.0 - rho * rho) < 0.0:
        problems.append("svi: negative variance")
    if b * (1.0 + abs(rho)) > _LEE_BOUND:
        problems.append("svi: wing steeper than Lee's bound")
    g = density(parameters=parameters, log_moneyness=_nodes(parameters))
    if np.any(g < -1e-9):
        problems.append("svi: butterfly arbitrage")
    return problems


def arbitrage(slices: Sequence[Svi]) -> list[str]:
    """Violations of a surface, nearest expiry first; empty when free of arbitrage.

    Calendar: total variance must not fall with time at fixed forward moneyness, on the later slice's 201
        nodes.
    """
    problems = [f"{text} (slice {i})" for i, x in enumerate(slices) for text in slice_arbitrage(x)]
    for i, (near, far) in enumerate(zip(slices, slices[1:], strict=False)):
        k = _nodes(far)
        if np.any(_derivatives(far, k)[0] < _derivatives(near, k)[0] - 1e-10):
            problems.append(f"svi: calendar arbitrage (slices {i} and {i + 1})")
    return problems


class _Path(NamedTuple):
    """w(k) = level + slope * k + |(b * k - centre, width)|: convex in these five numbers together, for
    every k.
    """

    level: float
    slope: float
    b: float
    centre: float
    width: float


def _path(x: Svi) -> _Path:
    return _Path(x.a - x.b * x.rho * x.m, x.b * x.rho, x.b, x.b * x.m, x.b * x.sigma)


def interpolate(near: Svi, far: Svi, share: float) -> Svi:
    """The slice a `share` in [0, 1] of the way from one expiry to a later one; itself raw SVI.

    The five numbers of `_Path` move linearly, so total variance is convex along the way at every k. Where
    `path_gap` is not negative it therefore never falls: no calendar arbitrage anywhere in between.
    """
    start, end = _path(near), _path(far)
    level, slope, b, centre, width = (p + (q - p) * share for p, q in zip(start, end, strict=True))
    m = centre / b
    return Svi(level + slope * m, b, slope / b, m, width / b)


def scale(parameters: Svi, factor: float) -> Svi:
    """Total variance times `factor` >= 0.

    For a factor up to 1 a slice without butterfly arbitrage stays without: with A >= 0 and C >= 0,
    g = A - factor * B - factor**2 * C is least at 0 or at 1 when B < 0, and falls with the factor when B >=
    0.
    """
    return parameters._replace(a=parameters.a * factor, b=parameters.b * factor)


def path_gap(near: Svi, far: Svi, log_moneyness: npt.ArrayLike) -> Floats:
    """Rate at which total variance starts to grow from `near` towards `far`; not above w_far - w_near."""
    k = np.asarray(log_moneyness, dtype=np.float64)
    start, end = _path(near), _path(far)
    x, y = start.b * k - start.centre, end.b * k - end.centre
    length = np.sqrt(x * x + start.width**2)
    growth = (x * y + start.width * end.width) / length - length
    return np.asarray(end.level - start.level + (end.slope - start.slope) * k + growth)


def _inner(k: Floats, w: Floats, weight: Floats, m: float, sigma: float) -> tuple[float, Svi]:
    """Best a, b, rho for given m and sigma: a bounded linear problem in (a, b (1 - rho), b (1 + rho)).

    b * (rho * x + root) = u * (root - x) / 2 + v * (root + x) / 2 with u = b (1 - rho), v = b (1 + rho) in
    [0, 2]:
    Lee's bound and |rho| <= 1 become a box.
    """
    from scipy.optimize import lsq_linear  # half a second to import, and only calibration needs it

    x = k - m
    root = np.sqrt(x * x + sigma * sigma)
    design = np.column_stack([np.ones_like(k), (root - x) / 2.0, (root + x) / 2.0]) * weight[:, None]
    upper = max(float(np.max(w)), 1e-9)
    fit = lsq_linear(design, w * weight, bounds=([-upper, 1e-9, 1e-9], [upper, 1.999, 1.999]), method="bvls")
    a, u, v = (float(y) for y in fit.x)
    b = (u + v) / 2.0
    return 2.0 * float(fit.cost), Svi(a, b, (v - u) / (u + v), m, sigma)


def _penalty(parameters: Svi, floor: Svi | None) -> float:
    """Squared size of the arbitrage; zero for a slice that may be published after `floor`."""
    k = _nodes(parameters)
    g = density(parameters=parameters, log_moneyness=k)
    at_money = max(float(_derivatives(parameters, np.zeros(1))[0][0]), 1e-9)
    # aim a little inside the boundary: the published integers are rounded
    penalty = float(np.sum(np.minimum(np.maximum(g, -10.0) - 1e-3, 0.0) ** 2))
    if floor is not None:
        gap = path_gap(floor, parameters, k) / at_money - 1e-4
        penalty += float(np.sum(np.minimum(gap, 0.0) ** 2))
    return penalty


def calibrate(
    *,
    log_moneyness: npt.ArrayLike,
    variance: npt.ArrayLike,
    weights: npt.ArrayLike = 1.0,
    warm_start: Svi | None = None,
    floor: Svi | None = None,
) -> Svi:
    """Quasi-explicit least squares: Nelder-Mead over (m, ln sigma), a bounded linear problem inside.

    Args:
        log_moneyness: ln(K / F) of the quotes, at least five.
        variance: total implied variance of the quotes.
        weights: non-negative, of the squared errors in total variance (vega over spread, squared, is usual).
        warm_start: parameters to start from, for instance the last fit.
        floor: the next nearer expiry's slice; total variance must not fall anywhere on the path from it.

    Returns the slice with least error plus an arbitrage penalty; the caller still checks `arbitrage`. Not
    attested.

    Raises:
        ValueError: fewer than five quotes.
    """
    from scipy.optimize import minimize

    k = np.asarray(log_moneyness, dtype=np.float64)
    w = np.asarray(variance, dtype=np.float64)
    if k.size < 5:
        raise ValueError("svi: fewer than five quotes")
    weight = np.sqrt(np.broadcast_to(np.asarray(weights, dtype=np.float64), k.shape))
    weight = weight / np.sqrt(np.sum((weight * np.mean(w)) ** 2))

    def fit(point: Floats) -> tuple[float, Svi]:
        sigma = float(np.exp(np.clip(point[1], np.log(_MIN_SIGMA), 2.0)))
        error, parameters = _inner(k, w, weight, float(np.clip(point[0], -3.0, 3.0)), sigma)
        return error + 10.0 * _penalty(parameters, floor), parameters

    spread = float(np.std(k))
    starts = [np.array([m * spread, np.log(s * spread)]) for m in (-0.5, 0.0, 0.5) for s in (0.3, 1.0)]
    if warm_start is not None:
        starts.insert(0, np.array([warm_start.m, np.log(warm_start.sigma)]))
    options = {"xatol": 1e-9, "fatol": 1e-14, "maxiter": 400}
    runs = [minimize(lambda p: fit(p)[0], start, method="Nelder-Mead", options=options) for start in starts]
    return fit(min(runs, key=lambda run: float(run.fun)).x)[1]
