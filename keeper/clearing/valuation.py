"""What a book is worth at least and at most, from its payoffs and a range of forwards alone.

Written from the definitions, in exact fractions over every knot: slow and obvious, the check on the linear
walk that the contracts and `keeper.risk` use. All results are WAD; None stands for "unbounded below".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, product
from math import ceil, floor

from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import PRICE_UNIT, WAD

Group = tuple[int, int]  # underlying, expiry


@dataclass(frozen=True, slots=True)
class Profile:
    """Payoff at expiry of one expiry's legs: values at the knots (from price 0 on) and the slope after the
    last.
    """

    knots: tuple[tuple[int, int], ...]
    final_slope: Fraction


def payoff(instrument: Instrument, price8: int) -> int:
    """Cash that one unit long becomes at `price8` (1e-8 USD)."""
    intrinsic = {
        Kind.FUTURE: price8,
        Kind.CALL: max(price8 - instrument.strike, 0),
        Kind.PUT: max(instrument.strike - price8, 0),
    }
    return intrinsic[instrument.kind] * PRICE_UNIT


def profiles(positions: Mapping[int, int]) -> dict[Group, Profile]:
    """Payoff profile per underlying and expiry; perps end nowhere and are in none."""
    legs = sorted((Instrument.unpack(i), q) for i, q in positions.items())
    dated = [leg for leg in legs if leg[0].kind != Kind.PERP]
    groups = groupby(dated, key=lambda leg: (leg[0].underlying, leg[0].expiry))
    return {group: profile(list(members)) for group, members in groups}


def profile(legs: list[tuple[Instrument, int]]) -> Profile:
    """Payoff profile of legs of one expiry."""
    prices = sorted({0} | {instrument.strike for instrument, _ in legs})
    knots = tuple((price, sum(q * payoff(i, price) for i, q in legs) // WAD) for price in prices)
    rising = sum(q for i, q in legs if i.kind in (Kind.FUTURE, Kind.CALL))
    return Profile(knots, Fraction(rising * PRICE_UNIT, WAD))


def least_payoff(profile: Profile) -> int | None:
    """The least that the legs can ever pay."""
    return None if profile.final_slope < 0 else min(value for _, value in profile.knots)


def worst_case(positions: Mapping[int, int]) -> int | None:
    """Sum over expiries of min(0, least payoff): a sure gain of one expiry is not lent against another's
    loss.
    """
    if any(Instrument.unpack(i).kind == Kind.PERP for i in positions):
        return None
    least = [least_payoff(p) for p in profiles(positions).values()]
    return None if None in least else sum(min(0, value) for value in least if value is not None)


def convex_envelope(profile: Profile, price8: int) -> Fraction:
    """Largest convex function below the profile, at `price8`: the least price that is no arbitrage."""
    left = [knot for knot in profile.knots if knot[0] <= price8]
    right = [knot for knot in profile.knots if knot[0] >= price8]
    rays = [value + profile.final_slope * (price8 - price) for price, value in left]
    chords = [_chord(a, b, price8) for a, b in product(left, right)]
    return min(rays + chords)


def concave_envelope(profile: Profile, price8: int) -> Fraction:
    """Least concave function above the profile, at `price8`."""
    mirrored = Profile(tuple((price, -value) for price, value in profile.knots), -profile.final_slope)
    return -convex_envelope(mirrored, price8)


def bracket(profile: Profile, lowest: int, highest: int) -> tuple[int, int]:
    """Least and greatest price that is no arbitrage for some forward of [lowest, highest] (1e-8 USD)."""
    candidates = _inside((price for price, _ in profile.knots), lowest, highest)
    low = min(convex_envelope(profile, price) for price in candidates)
    high = max(concave_envelope(profile, price) for price in candidates)
    return floor(low), ceil(high)


def _inside(prices: Iterable[int], lowest: int, highest: int) -> list[int]:
    """Both ends and every knot between them: a piecewise linear function has its extremes there."""
    return [lowest, highest, *(price for price in prices if lowest < price < highest)]


def _chord(a: tuple[int, int], b: tuple[int, int], price8: int) -> Fraction:
    """Value at `price8` of the line from knot a to knot b."""
    if a[0] == b[0]:
        return Fraction(a[1])
    return a[1] + Fraction((b[1] - a[1]) * (price8 - a[0]), b[0] - a[0])
