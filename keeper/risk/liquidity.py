"""The liquidity add-on L: what closing the book costs beyond its marks.

Per bucket b of underlying, expiry and moneyness, with h the half-spread cost of everything in it and d the
cost at which the market's depth is used up,

    L_b = h_b * (1 + min(sqrt(h_b / d_b), c)),

which is sum |q| * halfspread * (1 + sqrt(|q| / depth)) for a bucket of equal instruments. The root makes L
grow faster than the book, so it stands outside the core margin. Its slope in h is at most 1 + 3/2 c: below
the cap d/dh of h + h**1.5 / sqrt(d) is 1 + 3/2 sqrt(h / d), above it 1 + c. The half-spreads of a sum of
books are at most the sum of theirs, hence

    L(A + B) <= L(A) + (1 + 3/2 c) * h(B).

Stand-alone margins of units state (1 + 3/2 c) * h, and the marginal multiplier, which also meets whole books
that state their own L >= h, is never below 1 + 3/2 c. L(f * A) <= f * L(A), as L / h does not fall with size.
The cap c trades the charge of large books for the headroom of all.

L and the reserve of an auction: the price of an account falls to a floor, 80 % of what it is worth, so
whoever closes the book in the market is paid up to 20 % of an equity that was just below maintenance margin
when flagged. Half of L is in that margin on top of 80 % of the core, so the discount grows with what closing
costs; the part that is not sold stands at initial margin, all of L included.
"""

from collections.abc import Mapping
from typing import Any

from keeper.risk.addons import LINEAR, Bucket
from keeper.risk.concentration import root_up, threshold
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM

# square roots of ratios carry nine decimals
_UNIT = 10**9


def liquidity_charge(spreads: Mapping[Bucket, int], methodology: Methodology) -> int:
    """L, quanta, rounded up per bucket.

    Args:
        spreads: cost of the half-spreads by bucket, quanta.
    """
    return sum(bucket_charge(bucket, cost, methodology) for bucket, cost in spreads.items())


def bucket_charge(bucket: Bucket, cost: int, methodology: Methodology) -> int:
    """L of one bucket, quanta, rounded up."""
    root = root_up(-(-cost * _UNIT**2 // depth_of(bucket, methodology)))
    return cost + -(-cost * min(root, most_impact(methodology)) // _UNIT)


def depth_of(bucket: Bucket, methodology: Methodology) -> int:
    """d: the cost at which the market's depth is used up, quanta."""
    liquidity = methodology.liquidity
    share = liquidity.linear_depth_ppm if bucket[2] == LINEAR else liquidity.option_depth_ppm
    # the threshold is a dollar delta per 1.00, so of the position that moves by the threshold per 1 %
    return max(threshold(methodology, bucket[0]) * share // (100 * PPM), 1)


def most_impact(methodology: Methodology) -> int:
    """c, 1e-9."""
    return methodology.liquidity.most_ppm * (_UNIT // PPM)


def steepest_ppm(methodology: Methodology) -> int:
    """Largest slope of L in the half-spreads, ppm, rounded up."""
    return PPM - (-3 * methodology.liquidity.most_ppm // 2)


def steepest_charge(spreads: Mapping[Bucket, int], methodology: Methodology) -> int:
    """Most that adding these half-spreads raises the L of any book, quanta, rounded up."""
    return -(-sum(spreads.values()) * steepest_ppm(methodology) // PPM)


def liquidity_detail(spreads: Mapping[Bucket, int], methodology: Methodology) -> dict[str, Any]:
    """Charge, half-spreads, and the charge by underlying; JSON-ready, integers as text."""
    by_underlying: dict[int, int] = {}
    for bucket, cost in spreads.items():
        charge = bucket_charge(bucket, cost, methodology)
        by_underlying[bucket[0]] = by_underlying.get(bucket[0], 0) + charge
    return {
        "charge": str(sum(by_underlying.values())),
        "half_spreads": str(sum(spreads.values())),
        "underlyings": {str(u): str(charge) for u, charge in sorted(by_underlying.items())},
    }
