"""Where a calibration starts: the best slices over a grid of (m, sigma).

For given m and sigma the slice is linear in (a, b (1 - rho), b (1 + rho)), and Lee's bound and |rho| <= 1 are
a box: the quasi-explicit step of S. De Marco and C. Martini, "Quasi-explicit calibration of Gatheral's SVI
model", Zeliade white paper (2009). All grid points are solved at once.
"""

import numpy as np

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_slice import Svi

_CENTRES = 17
_WIDTHS = np.geomspace(0.01, 3.0, 14)
_LEAST_WING = 1e-6
_STEEPEST_WING = 2.0 - 1e-3
_RIDGE = 1e-13


def starts(k: Floats, w: Floats, weight: Floats, count: int) -> list[Svi]:
    """The `count` best slices of the grid, best first.

    Args:
        k: log-moneyness of the quotes.
        w: total variance of the quotes.
        weight: of the errors, not squared.
    """
    spread = float(np.ptp(k))
    centres = np.linspace(np.min(k) - 0.25 * spread, np.max(k) + 0.25 * spread, _CENTRES)
    m, sigma = (x.ravel() for x in np.meshgrid(centres, spread * _WIDTHS))
    root = np.hypot(k - m[:, None], sigma[:, None])
    x = k - m[:, None]
    design = np.stack([np.ones_like(root), (root - x) / 2.0, (root + x) / 2.0], axis=2) * weight[:, None]
    normal = np.swapaxes(design, 1, 2) @ design
    right = np.swapaxes(design, 1, 2) @ (w * weight)
    level, left_wing, right_wing = _boxed(normal, right)
    fitted = np.einsum("gnp,gp->gn", design, np.column_stack([level, left_wing, right_wing]))
    error = np.sum((fitted - w * weight) ** 2, axis=1)
    b = (left_wing + right_wing) / 2.0
    rho = (right_wing - left_wing) / (2.0 * b)
    best = np.argsort(error)[:count]
    return [Svi(*(float(y[i]) for y in (level, b, rho, m, sigma))) for i in best]


def _boxed(normal: Floats, right: Floats) -> tuple[Floats, Floats, Floats]:
    """Solutions with the wings clipped to the box, the level solved again after."""
    ridge = _RIDGE * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    free = np.linalg.solve(normal + ridge, right[:, :, None])[:, :, 0]
    left_wing, right_wing = (np.clip(free[:, i], _LEAST_WING, _STEEPEST_WING) for i in (1, 2))
    level = (right[:, 0] - normal[:, 0, 1] * left_wing - normal[:, 0, 2] * right_wing) / normal[:, 0, 0]
    return level, left_wing, right_wing
