"""Marks of many books, and whether they lie inside their no-arbitrage brackets for certain.

A mark is a sum of products of two whole numbers below 2**53, kept in three parts of 27 bits each, which 128
legs cannot overflow. The bracket of an expiry is that of `keeper.risk.payoff`: the convex and the concave
envelope of the legs' payoff at the settlement forward, here as the least and the largest value that two of
its knots, or one and the final slope, span there. In doubles this errs by a few units in the last place of
the sizes involved: where a mark is that near to a bound, the account is marked for the exact integers.
"""

from typing import Any, NamedTuple

import numpy as np

from keeper.markets.instrument import Kind
from keeper.risk.compiled import Array, compiled
from keeper.risk.compiled_scan import Positions

LIMB_BITS = 27
_LIMB = (1 << LIMB_BITS) - 1
# of the sizes involved, per leg of the expiry: a dozen operations at 2**-53 each
_TOLERANCE = 2.0**-48
_FUTURE, _CALL, _PUT = int(Kind.FUTURE), int(Kind.CALL), int(Kind.PUT)


class Terms(NamedTuple):
    """Instruments: `series` is shared by those of one underlying and expiry; mark, strike and settlement
    forward, 1e-8 USD.
    """

    series: Array
    kind: Array
    mark: Array
    strike: Array
    forward: Array


class MarkResult(NamedTuple):
    """Sums of quantity * mark in parts, shape (accounts, 3), the highest first; accounts to check exactly."""

    parts: Array
    undecided: Array


@compiled
def mark(p: Positions, terms: Terms, span: tuple[int, int], out: MarkResult) -> None:
    """Marks of the accounts `span`."""
    most = 1
    for account in range(span[0], span[1]):
        most = max(most, p.indptr[account + 1] - p.indptr[account])
    knots = np.empty((2, most + 1))
    for account in range(span[0], span[1]):
        j, end = p.indptr[account], p.indptr[account + 1]
        while j < end:
            first, is_worth_payoff = j, True
            while j < end and terms.series[p.rows[j]] == terms.series[p.rows[first]]:
                row, quantity = p.rows[j], p.quantities[j]
                price = terms.mark[row]
                out.parts[account, 0] += (quantity >> LIMB_BITS) * (price >> LIMB_BITS)
                out.parts[account, 1] += (quantity >> LIMB_BITS) * (price & _LIMB)
                out.parts[account, 1] += (quantity & _LIMB) * (price >> LIMB_BITS)
                out.parts[account, 2] += (quantity & _LIMB) * (price & _LIMB)
                is_worth_payoff = is_worth_payoff and price == _payoff(terms, row)
                j += 1
            # the mark of one leg is inside already, and so is the payoff itself of several
            if j - first > 1 and not is_worth_payoff and not _is_inside(p, terms, first, j, knots):
                out.undecided[account] = True


@compiled
def _payoff(terms: Terms, row: int) -> Any:
    """At the settlement forward, per unit."""
    if terms.kind[row] <= _FUTURE:
        return terms.forward[row]
    gain = terms.forward[row] - terms.strike[row]
    return max(gain if terms.kind[row] == _CALL else -gain, 0.0)


@compiled
def _is_inside(p: Positions, terms: Terms, first: int, last: int, knots: Array) -> bool:
    """Whether the mark of one expiry's legs lies inside its bracket for certain. `knots`: room for prices and
    payoffs, from zero up.
    """
    forward = terms.forward[p.rows[first]]
    value = size = slope = 0.0
    knots[0, 0] = knots[1, 0] = 0.0
    for k in range(first, last):
        row, quantity = p.rows[k], float(p.quantities[k])
        value += quantity * terms.mark[row]
        size += abs(quantity) * (forward + terms.strike[row])
        if terms.kind[row] <= _FUTURE:
            slope += quantity
        elif terms.kind[row] == _PUT:
            slope -= quantity
            knots[1, 0] += quantity * terms.strike[row]
    count = 1
    for k in range(first, last):
        row = p.rows[k]
        if terms.kind[row] <= _FUTURE:
            continue
        strike = terms.strike[row]
        if strike != knots[0, count - 1]:
            knots[0, count] = strike
            knots[1, count] = knots[1, count - 1] + slope * (strike - knots[0, count - 1])
            count += 1
        slope += float(p.quantities[k])
    low, high = _envelopes(knots, count, slope, forward)
    error = size * _TOLERANCE * (last - first)
    return low + error <= value <= high - error


@compiled
def _envelopes(knots: Array, count: int, slope: float, forward: float) -> tuple[float, float]:
    """Least and largest value at `forward` on a line between two knots, or from one along the final slope."""
    low, high = np.inf, -np.inf
    for i in range(count):
        if knots[0, i] > forward:
            break
        at = knots[1, i] + slope * (forward - knots[0, i])
        low, high = min(low, at), max(high, at)
        for k in range(i + 1, count):
            if knots[0, k] >= forward:
                share = (forward - knots[0, i]) / (knots[0, k] - knots[0, i])
                at = knots[1, i] + share * (knots[1, k] - knots[1, i])
                low, high = min(low, at), max(high, at)
    return low, high
