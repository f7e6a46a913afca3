"""What a slice is fitted to, as residuals: quotes, and the conditions it must keep as penalties.

A point is (a, p, q, m, s) with b (1 - rho) = L * logistic(p), b (1 + rho) = L * logistic(q), L just below 2,
and sigma = exp(s): Lee's bound and |rho| < 1 hold everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_arbitrage import LEE_BOUND
from keeper.pricing.svi_path import calendar_gap
from keeper.pricing.svi_slice import Svi, butterfly, nodes, shape

MIN_SIGMA = 1e-4
_STEEPEST = LEE_BOUND - 1e-6
# aim a little inside the conditions: published integers are rounded, nodes move with the slice
_BUTTERFLY_MARGIN = 2e-3
_GAP_MARGIN = 1e-4
_LEAST_DENSITY = -10.0  # of g: where variance is negative it has no size
_STEP = 1e-6
# of the quotes' together: a wing twice the prior's costs about what an error of .2 % everywhere does
_PRIOR_WEIGHT = 2e-3


class Slices(NamedTuple):
    """Raw SVI of several points at once."""

    a: Floats
    b: Floats
    rho: Floats
    m: Floats
    sigma: Floats


@dataclass(frozen=True)
class Objective:
    """Residuals of one slice.

    Attributes:
        k: log-moneyness of the quotes.
        w: total variance of the quotes.
        weight: of the errors, not squared; scaled so that a residual is a share of the variance.
        at_money: total variance at the money, about.
        floor: slice of the next nearer expiry.
        ceiling: slice of the next later expiry.
        on_path: whether variance must grow on the whole path between slices, or only from one to the other.
        prior: slice that the fit is drawn to, weakly, beyond the quotes.
        full: weights before quotes far off the fit lost some of theirs.
    """

    k: Floats
    w: Floats
    weight: Floats
    at_money: float
    floor: Svi | None = None
    ceiling: Svi | None = None
    on_path: bool = True
    prior: Svi | None = None
    full: Floats | None = None

    @property
    def full_weight(self) -> Floats:
        """Weights before any quote lost some of its own."""
        return self.weight if self.full is None else self.full

    def residuals(self, points: Floats, penalty: float) -> Floats:
        """One row a point: errors of the quotes, the departure from the prior, then the violations times
        `penalty`, if that is not zero.

        Args:
            points: shape (n, 5).
        """
        slices = slices_of(points)
        parts = [(shape(slices, self.k).variance - self.w) * self.weight]
        if self.prior is not None:
            parts.append(self._departure(slices, self.prior))
        if penalty != 0.0:
            parts.append(penalty * self._violations(slices))
        return np.concatenate(parts, axis=1)

    def errors(self, parameters: Svi) -> Floats:
        """Weighted errors of the quotes alone."""
        return np.asarray((shape(parameters, self.k).variance - self.w) * self.weight)

    def jacobian(self, point: Floats, penalty: float) -> Floats:
        """Derivatives of the residuals by forward differences, all in one evaluation."""
        points = np.vstack([point, point + _STEP * np.diag(np.maximum(np.abs(point), 1e-2))])
        rows = self.residuals(points, penalty)
        return np.asarray(((rows[1:] - rows[0]) / np.diag(points[1:] - point)[:, None]).T)

    def _departure(self, slices: Slices, prior: Svi) -> Floats:
        """From the prior beyond the quotes, as a share of its variance."""
        k = nodes(prior)[::10]
        outside = k[(k < np.min(self.k)) | (k > np.max(self.k))]
        expected = shape(prior, outside).variance
        return np.asarray(_PRIOR_WEIGHT * (shape(slices, outside).variance - expected) / expected)

    def _violations(self, slices: Slices) -> Floats:
        k = nodes(Svi(1.1 * self.at_money, 0.0, 0.0, 0.0, 1.0))
        curve = shape(slices, k)
        dip = curve.variance / self.at_money
        parts = [
            np.maximum(butterfly(curve, k), _LEAST_DENSITY) - _BUTTERFLY_MARGIN,
            np.where(dip < 1e-3, 10.0 * (dip - 1e-3), 0.0),
        ]
        if self.floor is not None:
            parts.append(self._growth(self.floor, slices, k))
        if self.ceiling is not None:
            parts.append(self._growth(slices, self.ceiling, nodes(self.ceiling)))
        return np.asarray(np.minimum(np.concatenate(parts, axis=1), 0.0))

    def _growth(self, near: Sequence[npt.ArrayLike], far: Sequence[npt.ArrayLike], k: Floats) -> Floats:
        return calendar_gap(near, far, k, self.on_path) / self.at_money - _GAP_MARGIN


def slice_of(point: Floats) -> Svi:
    """Raw SVI of one point."""
    a, b, rho, m, sigma = (float(x[0, 0]) for x in slices_of(point[None, :]))
    return Svi(a, b, rho, m, sigma)


def slices_of(points: Floats) -> Slices:
    """Raw SVI of points, shape (n, 5): arrays of shape (n, 1)."""
    a, p, q, m, s = (x[:, None] for x in points.T)
    left, right = (_STEEPEST / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))) for x in (p, q))
    b = (left + right) / 2.0
    rho = np.clip((right - left) / (2.0 * b), -1.0 + 1e-12, 1.0 - 1e-12)
    return Slices(a, b, rho, m, np.exp(np.clip(s, np.log(MIN_SIGMA), 5.0)))


def point_of(x: Svi) -> Floats:
    """The point of a slice; wings at Lee's bound or flat are moved just inside."""
    shares = (np.clip(x.b * (1.0 + sign * x.rho) / _STEEPEST, 1e-9, 1.0 - 1e-9) for sign in (-1.0, 1.0))
    p, q = (float(np.log(y / (1.0 - y))) for y in shares)
    return np.array([x.a, p, q, x.m, np.log(max(x.sigma, MIN_SIGMA))])
