"""SSVI: a whole surface of total variance from three numbers and the at-the-money variance of each expiry.

w(k, theta) = theta / 2 * (1 + rho * phi * k + sqrt((phi * k + rho)**2 + 1 - rho**2)), k = ln(K / F), with the
power law phi(theta) = eta * theta**-gamma * (1 + theta)**(gamma - 1).

Reference: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14
(2014), 59-71: theorems 4.1 and 4.2, equation 4.5 for the power law.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_slice import Svi, total_variance

_LARGEST_RHO = 0.999
_LEAST_GAMMA = 0.01
_LARGEST_GAMMA = 0.5
_PRIOR = np.array([0.0, 0.0, 1.0])  # of the free numbers of a fit: rho 0, eta half its bound, gamma .37
_PRIOR_WEIGHT = 1e-4
_LEAST_STEP = 1e-12


class Ssvi(NamedTuple):
    """What the expiries share: skew `rho`, size `eta` and decay `gamma` of the curvature."""

    rho: float
    eta: float
    gamma: float

    def phi(self, theta: npt.ArrayLike) -> Floats:
        """Curvature at an at-the-money total variance."""
        x = np.asarray(theta, dtype=np.float64)
        return np.asarray(self.eta * x**-self.gamma * (1.0 + x) ** (self.gamma - 1.0))

    def slice(self, theta: float) -> Svi:
        """The expiry with at-the-money total variance `theta`, as raw SVI."""
        phi = float(self.phi(theta))
        root = float(np.sqrt(1.0 - self.rho * self.rho))
        return Svi(theta / 2.0 * root * root, theta * phi / 2.0, self.rho, -self.rho / phi, root / phi)


class Quotes(NamedTuple):
    """Quotes of one expiry: log-moneyness, total variance, weight of the squared error in it."""

    k: Floats
    variance: Floats
    weights: Floats


class Fit(NamedTuple):
    """A calibrated surface: what is shared, and each expiry's at-the-money total variance."""

    shared: Ssvi
    thetas: tuple[float, ...]


def arbitrage(parameters: Ssvi, thetas: Sequence[float] = ()) -> list[str]:
    """Violations of the sufficient conditions: domain, eta (1 + |rho|) <= 2, theta positive and not falling.

    With gamma at most 1/2 the bound on eta gives theta phi (1 + |rho|) < 4 and theta phi**2 (1 + |rho|) <= 4,
    and theta phi grows with theta slowly enough for the calendar.
    """
    problems = []
    if not (abs(parameters.rho) < 1.0 and parameters.eta > 0.0 and 0.0 < parameters.gamma <= _LARGEST_GAMMA):
        problems.append("ssvi: parameters outside their domain")
    if parameters.eta * (1.0 + abs(parameters.rho)) > 2.0:
        problems.append("ssvi: eta (1 + |rho|) above 2")
    if any(theta <= 0.0 for theta in thetas):
        problems.append("ssvi: at-the-money variance not positive")
    if any(far < near for near, far in zip(thetas, thetas[1:], strict=False)):
        problems.append("ssvi: at-the-money variance falls with time")
    return problems


def fit_theta(parameters: Ssvi, quotes: Quotes, floor: float = 0.0) -> float:
    """At-the-money total variance of one expiry with the shared numbers given, at least `floor`.

    Raises:
        ValueError: there is no quote.
    """
    from scipy.optimize import minimize_scalar

    if quotes.k.size == 0:
        raise ValueError("ssvi: no quotes; use the last good surface")

    def error(x: float) -> float:
        model = total_variance(parameters=parameters.slice(float(np.exp(x))), log_moneyness=quotes.k)
        return float(np.sum(quotes.weights * (model - quotes.variance) ** 2))

    low, high = np.log(np.min(quotes.variance)) - 4.0, np.log(np.max(quotes.variance)) + 1.0
    found = float(np.exp(minimize_scalar(error, bounds=(low, high), options={"xatol": 1e-10}).x))
    return max(found, floor)


def calibrate(expiries: Sequence[Quotes]) -> Fit:
    """Weighted least squares over all expiries at once, nearest first, inside the conditions of `arbitrage`.

    Errors count as shares of the variance. Where quotes do not tell, the shared numbers stay near rho 0 and
    half the largest eta.

    Raises:
        ValueError: no expiry, or one without quotes.
    """
    from scipy.optimize import least_squares

    if not expiries or any(e.k.size == 0 for e in expiries):
        raise ValueError("ssvi: an expiry without quotes; leave it out")
    guesses = np.maximum.accumulate([float(np.interp(0.0, *_sorted(e))) for e in expiries])
    steps = np.maximum(np.diff(guesses, prepend=0.0), 1e-2 * guesses)
    index = np.concatenate([np.full(e.k.size, i) for i, e in enumerate(expiries)])
    k, variance, weights = (np.concatenate([e[i] for e in expiries]) for i in range(3))
    scale = np.sqrt(weights / np.sum(weights * variance**2))

    def residuals(x: Floats) -> Floats:
        shared, thetas = _of(x)
        error = (_variance(shared, thetas[index], k) - variance) * scale
        return np.concatenate([error, _PRIOR_WEIGHT * (x[:3] - _PRIOR)])

    start = np.concatenate([_PRIOR, np.log(steps)])
    shared, thetas = _of(least_squares(residuals, start, method="lm", max_nfev=60 * start.size).x)
    return Fit(shared, tuple(float(t) for t in thetas))


def _variance(parameters: Ssvi, theta: Floats, k: Floats) -> Floats:
    x = parameters.phi(theta) * k
    rho = parameters.rho
    return np.asarray(theta / 2.0 * (1.0 + rho * x + np.sqrt((x + rho) ** 2 + 1.0 - rho * rho)))


def _of(x: Floats) -> tuple[Ssvi, Floats]:
    """Free numbers as parameters inside their domain and rising at-the-money variances."""
    rho = _LARGEST_RHO * float(np.tanh(x[0]))
    eta = _logistic(x[1]) * 2.0 / (1.0 + abs(rho))
    gamma = _LEAST_GAMMA + (_LARGEST_GAMMA - _LEAST_GAMMA) * _logistic(x[2])
    return Ssvi(rho, eta, gamma), np.cumsum(np.exp(np.clip(x[3:], -60.0, 10.0)) + _LEAST_STEP)


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0))))


def _sorted(quotes: Quotes) -> tuple[Floats, Floats]:
    order = np.argsort(quotes.k)
    return quotes.k[order], quotes.variance[order]
