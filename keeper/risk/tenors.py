"""Correlations between the expiries of a market, as integers in 1e-15.

A kernel of the ratio r = shorter / longer tenor: r itself is exp(-|ln(t / t')|), the covariance of an
Ornstein-Uhlenbeck process in ln t, hence positive definite; so are sums and products of such kernels with
constants. Rounding an entry could spoil that by a few units: the diagonal carries more than all of a row's
roundings, which restores it for certain. The square roots of the Greeks charge are then norms, exactly.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from keeper.pricing import kernels
from keeper.risk.parameters import PPM, GreeksParameters, RollParameters
from keeper.units.constants import SECONDS_PER_YEAR

CORRELATION_UNIT = 10**15
_PPM_UNIT = CORRELATION_UNIT // PPM
# of one entry: the error of the power (a few 1e-16) and two divisions
_ROUNDING = 8

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Tenors:
    """The expiries of a market with their correlations; index 0 is everything without an expiry.

    Attributes:
        expiries: unix seconds; 0 for perps and spot, whose tenor is the horizon.
        delta: correlation of the deltas of two expiries.
        vega: correlation of their vegas.
        curvature: delta**2 - expiry_base**2.
        roll_ppm: basis and roll charge on a dollar delta.
    """

    expiries: tuple[int, ...]
    delta: Rows
    vega: Rows
    curvature: Rows
    roll_ppm: tuple[int, ...]


def build(timestamp: int, expiries: Iterable[int], greeks: GreeksParameters, roll: RollParameters) -> Tenors:
    """Correlations at a moment. Tenors shorter than the horizon count as the horizon."""
    listed = (0, *sorted(set(expiries) - {0}))
    seconds = [max(e - timestamp, greeks.horizon_seconds) for e in listed]
    base, rest = greeks.expiry_base_ppm, PPM - greeks.expiry_base_ppm

    def delta(ratio: int) -> int:
        return base * _PPM_UNIT + rest * ratio // PPM

    def vega(ratio: int) -> int:
        near = kernels.power(ratio / CORRELATION_UNIT, greeks.tenor_decay_ppm / PPM)
        scaled = round(float(near) * CORRELATION_UNIT)
        return greeks.tenor_base_ppm * _PPM_UNIT + (PPM - greeks.tenor_base_ppm) * scaled // PPM

    def curvature(ratio: int) -> int:
        square = ratio * ratio // CORRELATION_UNIT
        return (2 * base * rest * ratio + rest * rest * square) // PPM**2

    return Tenors(
        expiries=listed,
        delta=_matrix(seconds, delta),
        vega=_matrix(seconds, vega),
        curvature=_matrix(seconds, curvature),
        roll_ppm=tuple(_roll(max(e - timestamp, 0), roll) for e in listed),
    )


def _matrix(seconds: list[int], kernel: Callable[[int], int]) -> Rows:
    """The kernel of every pair's ratio; the diagonal outweighs the roundings of its row."""
    spare = _ROUNDING * len(seconds)
    return tuple(
        tuple(
            kernel(CORRELATION_UNIT * min(s, t) // max(s, t)) + (spare if i == j else 0)
            for j, t in enumerate(seconds)
        )
        for i, s in enumerate(seconds)
    )


def _roll(seconds: int, roll: RollParameters) -> int:
    """Charge per dollar delta, ppm, rounded up."""
    return max(roll.flat_ppm, -(-roll.per_year_ppm * seconds // SECONDS_PER_YEAR))
