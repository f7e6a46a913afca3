"""Raw SVI between two expiries: a path of slices along which total variance does not fall."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_slice import Svi, shape


class Path(NamedTuple):
    """w(k) = level + slope * k + |(b * k - centre, width)|: convex in these five numbers together, for
    every k.
    """

    level: Floats
    slope: Floats
    b: Floats
    centre: Floats
    width: Floats


def path(parameters: Sequence[npt.ArrayLike]) -> Path:
    """The five numbers of a slice; of arrays, arrays."""
    a, b, rho, m, sigma = (np.asarray(x, dtype=np.float64) for x in parameters)
    return Path(*(np.asarray(x) for x in (a - b * rho * m, b * rho, b, b * m, b * sigma)))


def interpolate(near: Svi, far: Svi, share: float) -> Svi:
    """The slice a `share` in [0, 1] of the way from one expiry to a later one; itself raw SVI.

    The five numbers of `Path` move linearly, so total variance is convex along the way at every k. Where
    `path_gap` is not negative it therefore never falls: no calendar arbitrage anywhere in between.
    """
    pairs = zip(path(near), path(far), strict=True)
    level, slope, b, centre, width = (float(p + (q - p) * share) for p, q in pairs)
    m = centre / b
    return Svi(level + slope * m, b, slope / b, m, width / b)


def path_gap(
    near: Sequence[npt.ArrayLike], far: Sequence[npt.ArrayLike], log_moneyness: npt.ArrayLike
) -> Floats:
    """Rate at which total variance starts to grow from `near` towards `far`; not above w_far - w_near.

    The parameters of either may be arrays, which broadcast against `log_moneyness`.
    """
    k = np.asarray(log_moneyness, dtype=np.float64)
    start, end = path(near), path(far)
    x, y = start.b * k - start.centre, end.b * k - end.centre
    length = np.sqrt(x * x + start.width**2)
    growth = (x * y + start.width * end.width) / length - length
    return np.asarray(end.level - start.level + (end.slope - start.slope) * k + growth)


def calendar_gap(
    near: Sequence[npt.ArrayLike],
    far: Sequence[npt.ArrayLike],
    log_moneyness: npt.ArrayLike,
    on_path: bool,
) -> Floats:
    """Growth of total variance from one slice to a later one; with `on_path` its least along the path."""
    if on_path:
        return path_gap(near, far, log_moneyness)
    return np.asarray(shape(far, log_moneyness).variance - shape(near, log_moneyness).variance)
