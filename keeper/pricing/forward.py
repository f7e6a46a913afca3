"""Forwards of one underlying by time to expiry, from whatever is quoted.

Where an expiry has several, the first of these stands: a dated future, the venue's own forward, put-call
parity. A perpetual (or else the spot) stands at time zero: it has no carry of its own, funding keeps it near
the index. In between the logarithm of the forward is linear in time, beyond the last expiry the carry up to
there goes on.
"""

from collections.abc import Sequence
from enum import IntEnum
from math import exp, log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats

_REWEIGHTINGS = 20
_HUBER = 1.345
_LEAST_SPREAD = 1e-6  # share of the strike
_DEVIATIONS_PER_MAD = 1.4826


class Origin(IntEnum):
    """Where a forward comes from; the lowest stands."""

    FUTURE = 0
    VENUE = 1
    PARITY = 2


class ForwardPoint(NamedTuple):
    """One forward in USD for a time to expiry."""

    years: float
    forward: float
    origin: Origin


class Parity(NamedTuple):
    """What put-call parity says of one expiry: forward in USD, discount, residual in USD, pairs used."""

    forward: float
    discount: float
    residual: float
    pairs: int

    def rate(self, years: float) -> float:
        """Continuously compounded interest per year that the discount implies."""
        return -log(self.discount) / years


class ForwardCurve(NamedTuple):
    """Forwards by rising time, the first at time zero."""

    years: tuple[float, ...]
    log_forwards: tuple[float, ...]

    def at(self, years: float) -> float:
        """Forward in USD for a time to expiry.

        Raises:
            ValueError: the time is negative.
        """
        if years < 0.0:
            raise ValueError("forward: time to expiry is negative; leave expired contracts out")
        if years <= self.years[-1] or len(self.years) == 1:
            return exp(float(np.interp(years, self.years, self.log_forwards)))
        carry = (self.log_forwards[-1] - self.log_forwards[0]) / self.years[-1]
        return exp(self.log_forwards[-1] + carry * (years - self.years[-1]))


def forward_curve(
    points: Sequence[ForwardPoint], spot: float, perpetual: float | None = None
) -> ForwardCurve:
    """The curve through the best forward of each expiry.

    Raises:
        ValueError: a price is not positive, or a time is not.
    """
    start = spot if perpetual is None else perpetual
    if start <= 0.0 or any(p.forward <= 0.0 or p.years <= 0.0 for p in points):
        raise ValueError("forward: prices and times to expiry must be above zero")
    best = {p.years: p.forward for p in sorted(points, key=lambda p: p.origin, reverse=True)}
    years = sorted(best)
    return ForwardCurve((0.0, *years), (log(start), *(log(best[y]) for y in years)))


def put_call_parity(
    *,
    strike: npt.ArrayLike,
    call: npt.ArrayLike,
    put: npt.ArrayLike,
    spread: npt.ArrayLike,
    discount: float | None = 1.0,
) -> Parity:
    """Forward, and with `discount` None the discount too, of call - put = discount * (forward - strike).

    Weighted by one over the squared spread; pairs far off lose weight (Huber).

    Args:
        strike: USD, one a pair.
        call: price in USD, as `put`.
        spread: of call and put together, USD.
        discount: value today of 1 USD at the expiry; None to fit it.

    Raises:
        ValueError: too few pairs, or no positive forward and discount fit them.
    """
    k, c, p, s = (np.asarray(x, dtype=np.float64) for x in np.broadcast_arrays(strike, call, put, spread))
    used = np.isfinite(k) & np.isfinite(c) & np.isfinite(p) & np.isfinite(s)
    k, c, p, s = k[used], c[used], p[used], s[used]
    if np.unique(k).size < (1 if discount is not None else 2):
        raise ValueError("forward: too few strikes with a call and a put; give the forward")
    base = 1.0 / np.maximum(s, _LEAST_SPREAD * k)
    weight = base
    for _ in range(_REWEIGHTINGS):
        forward, factor = _line(k, c - p, weight, discount)
        error = np.abs(c - p - factor * (forward - k)) * base
        deviation = _DEVIATIONS_PER_MAD * float(np.median(error))
        weight = base * np.sqrt(np.minimum(1.0, _HUBER * deviation / np.maximum(error, 1e-300)))
        if deviation == 0.0:
            break
    if not (forward > 0.0 and factor > 0.0):
        raise ValueError("forward: no positive forward fits the calls and puts; check their prices")
    return Parity(forward, factor, float(np.median(np.abs(c - p - factor * (forward - k)))), int(k.size))


def _line(k: Floats, difference: Floats, weight: Floats, discount: float | None) -> tuple[float, float]:
    """Forward and discount of the weighted line through call - put."""
    if discount is not None:
        return float(np.average(difference / discount + k, weights=weight**2)), discount
    middle = float(np.average(k, weights=weight**2))
    design = np.column_stack([np.ones_like(k), middle - k]) * weight[:, None]
    level, factor = (float(x) for x in np.linalg.lstsq(design, difference * weight, rcond=None)[0])
    return middle + level / factor if factor > 0.0 else 0.0, factor
