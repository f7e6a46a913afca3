"""Funding rates of perps, bit for bit as `contracts/markets/Funding.vy`.

    premium = mark / spot - 1, clamped to the market's basis and to `max_premium`
    funding of eight hours = (premium moved towards zero by `dead_zone`, clamped to `cap`) * spot

Shares, prices and cash WAD; rates WAD of cash per second and long unit, > 0: longs pay. The index that a
rate moves is in `keeper.clearing.funding`.
"""

from dataclasses import dataclass

from keeper.units.constants import WAD

PERIOD = 28_800  # eight hours, seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """How a premium becomes funding: IFunding.Terms."""

    dead_zone: int
    max_premium: int
    cap: int


def premium_of(mark: int, spot: int, widest: int) -> int:
    """Mark over spot less one, rounded towards zero, within `widest` on either side."""
    return _clamp(_quotient((mark - spot) * WAD, spot), widest)


def rate_of(mark: int, spot: int, terms: Terms, basis: int) -> int:
    """What one long unit pays per second, rounded towards zero.

    Args:
        mark: of the perp, attested.
        spot: effective.
        terms: of the market.
        basis: of the market's contract specification; bounds what a perp may be marked at.
    """
    premium = premium_of(mark, spot, min(terms.max_premium, basis))
    paying = _clamp(premium - _clamp(premium, terms.dead_zone), terms.cap)
    return _quotient(paying * spot, WAD * PERIOD)


def _clamp(amount: int, bound: int) -> int:
    return max(-bound, min(bound, amount))


def _quotient(a: int, b: int) -> int:
    """a / b for b > 0, rounded towards zero as the EVM does."""
    return a // b if a >= 0 else -(-a // b)
