"""Raw SVI: one expiry's total implied variance as a function of log-moneyness.

w(k) = a + b * (rho * (k - m) + sqrt((k - m)**2 + sigma**2)), k = ln(K / F), w = vol**2 * years.

Reference: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14
(2014), 59-71.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats

SVI_UNIT = 10**12
_NODES = 201
_TINY = 1e-100
_NODE_DEVIATIONS = 5.0


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

    @property
    def at_money(self) -> float:
        """Total variance at the forward."""
        root = float(np.sqrt(self.m * self.m + self.sigma * self.sigma))
        return self.a + self.b * (root - self.rho * self.m)


class Shape(NamedTuple):
    """Total variance and its first two derivatives in log-moneyness."""

    variance: Floats
    first: Floats
    second: Floats


def from_integers(parameters: Sequence[int]) -> Svi:
    """Raw SVI from its published integers (1e-12)."""
    a, b, rho, m, sigma = (x / SVI_UNIT for x in parameters)
    return Svi(a, b, rho, m, sigma)


def total_variance(*, parameters: Sequence[npt.ArrayLike], log_moneyness: npt.ArrayLike) -> Floats:
    """w(k) >= 0. Attested: basic operations only. Parameters broadcast against `log_moneyness`."""
    a, b, rho, m, sigma = (np.asarray(x, dtype=np.float64) for x in parameters)
    x = np.asarray(log_moneyness, dtype=np.float64) - m
    return np.asarray(np.maximum(a + b * (rho * x + np.sqrt(x * x + sigma * sigma)), 0.0))


def shape(parameters: Sequence[npt.ArrayLike], log_moneyness: npt.ArrayLike) -> Shape:
    """w(k), also where it is negative, w'(k) and w''(k). Parameters broadcast against `log_moneyness`."""
    a, b, rho, m, sigma = (np.asarray(x, dtype=np.float64) for x in parameters)
    x = np.asarray(log_moneyness, dtype=np.float64) - m
    root = np.maximum(np.sqrt(x * x + sigma * sigma), _TINY)
    return Shape(a + b * (rho * x + root), b * (rho + x / root), b * (sigma / root) ** 2 / root)


def butterfly(curve: Shape, log_moneyness: npt.ArrayLike) -> Floats:
    """Gatheral's g(k) of any smile; -inf where the variance is not positive."""
    k = np.asarray(log_moneyness, dtype=np.float64)
    w = np.where(curve.variance > 0.0, np.maximum(curve.variance, _TINY), 1.0)
    g = (
        (1.0 - k * curve.first / (2.0 * w)) ** 2
        - curve.first**2 / 4.0 * (1.0 / w + 0.25)
        + curve.second / 2.0
    )
    return np.asarray(np.where(curve.variance > 0.0, g, -np.inf))


def density(*, parameters: Svi, log_moneyness: npt.ArrayLike) -> Floats:
    """Gatheral's g(k); the risk-neutral density has its sign. -inf where the variance is not positive."""
    return butterfly(shape(parameters, log_moneyness), log_moneyness)


def nodes(parameters: Svi) -> Floats:
    """The log-moneyness at which a slice is checked: 201 over five standard deviations to both sides."""
    reach = _NODE_DEVIATIONS * np.sqrt(max(parameters.at_money, 1e-12))
    return np.asarray(np.linspace(-reach, reach, _NODES))


def scale(parameters: Svi, factor: float) -> Svi:
    """Total variance times `factor` >= 0.

    For a factor up to 1 a slice without butterfly arbitrage stays without: with A >= 0 and C >= 0,
    g = A - factor * B - factor**2 * C is least at 0 or at 1 when B < 0, and falls with the factor when B >=
    0.
    """
    return parameters._replace(a=parameters.a * factor, b=parameters.b * factor)
