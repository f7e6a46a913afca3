"""Slow and obvious reference of the payoff bounds, in rationals: no hull, no rounding, no shared code."""

from fractions import Fraction

PERP, FUTURE, CALL, PUT = range(4)


def value(legs, price):
    """Value at a settlement price (USD) of legs (kind, strike USD, quantity)."""
    total = Fraction(0)
    for kind, strike, quantity in legs:
        if kind == CALL:
            total += quantity * max(price - strike, 0)
        elif kind == PUT:
            total += quantity * max(strike - price, 0)
        else:
            total += quantity * price
    return total


def final_slope(legs):
    return sum(quantity for kind, _, quantity in legs if kind != PUT)


def knots(legs):
    return sorted({Fraction(0), *(strike for kind, strike, _ in legs if kind in (CALL, PUT))})


def convex_at(legs, forward):
    """Convex envelope at a forward: the cheapest mixture of knots, or of a knot and the ray."""
    points = knots(legs)
    slope = final_slope(legs)
    below = [k for k in points if k <= forward]
    above = [k for k in points if k > forward]
    candidates = [value(legs, k) + slope * (forward - k) for k in below]
    for a in below:
        for b in above:
            share = (forward - a) / (b - a)
            candidates.append((1 - share) * value(legs, a) + share * value(legs, b))
    return min(candidates)


def low(legs, forward_low, forward_high):
    """Least value of the convex envelope over a band: at its ends or at a knot inside."""
    inside = [k for k in knots(legs) if forward_low <= k <= forward_high]
    return min(convex_at(legs, forward) for forward in [forward_low, forward_high, *inside])


def high(legs, forward_low, forward_high):
    return -low([(kind, strike, -quantity) for kind, strike, quantity in legs], forward_low, forward_high)


def worst(legs):
    """Least value over all prices, or None where it falls without end."""
    return None if final_slope(legs) < 0 else min(value(legs, k) for k in knots(legs))
