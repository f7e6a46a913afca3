"""Add-ons of many books: naked shorts, perpetuals, doubtful prices, and the liquidity add-on, to the quantum.

See `keeper.risk.addons` and `keeper.risk.liquidity`.
"""

from typing import NamedTuple

import numpy as np

from keeper.risk.addons import LINEAR
from keeper.risk.compiled import Array, compiled
from keeper.risk.compiled_exact import part_up, ratio_root_up
from keeper.risk.compiled_scan import COINS, ROUNDER, Positions

_UNIT = 10**9  # square roots of ratios carry nine decimals
_BUCKETS = LINEAR + 1


class AddonTerms(NamedTuple):
    """Instruments: `strike` is shared by the call and the put of one strike and expiry, `series` by an
    underlying's instruments of one expiry; bucket of liquidity; naked, perp, confidence and spread of one
    unit, quanta, shape (n, 4).

    Attributes:
        depth: of the linear and of the option market, quanta, shape (underlyings, 2).
        most: largest impact of size, 1e-9.
    """

    underlying: Array
    series: Array
    strike: Array
    bucket: Array
    rates: Array
    depth: Array
    most: int


class AddonResult(NamedTuple):
    """Quanta per account; of `undecided` ones nothing counts."""

    naked: Array
    perps: Array
    confidence: Array
    liquidity: Array
    undecided: Array


@compiled
def charge_addons(p: Positions, terms: AddonTerms, span: tuple[int, int], out: AddonResult) -> None:
    """Add-ons of the accounts `span`."""
    costs = np.empty(_BUCKETS)
    for account in range(span[0], span[1]):
        j, end = p.indptr[account], p.indptr[account + 1]
        while j < end:
            first = p.rows[j]
            costs[:] = 0.0
            while j < end and terms.series[p.rows[j]] == terms.series[first]:
                strike, rate, net = p.rows[j], terms.rates[p.rows[j], 0], 0
                while j < end and terms.strike[p.rows[j]] == terms.strike[strike]:
                    row, size = p.rows[j], abs(p.quantities[j]) / COINS
                    net += p.quantities[j]
                    out.perps[account] += int((size * terms.rates[row, 1] + ROUNDER) - ROUNDER)
                    out.confidence[account] += int((size * terms.rates[row, 2] + ROUNDER) - ROUNDER)
                    costs[terms.bucket[row]] += (size * terms.rates[row, 3] + ROUNDER) - ROUNDER
                    j += 1
                if net < 0:
                    out.naked[account] += int((-net / COINS * rate + ROUNDER) - ROUNDER)
            for bucket in range(_BUCKETS):
                if costs[bucket] > 0.0:
                    depth = terms.depth[terms.underlying[first], 0 if bucket == LINEAR else 1]
                    charge = _bucket_charge(int(costs[bucket]), depth, terms.most)
                    out.undecided[account] |= charge < 0
                    out.liquidity[account] += charge


@compiled
def _bucket_charge(cost: int, depth: int, most: int) -> int:
    """cost * (1 + min(sqrt(cost / depth), most)), rounded up, or UNDECIDED."""
    impact = most
    # near the cap the exact root decides
    if cost * 1e18 < 1.01 * float(most) * float(most) * float(depth):
        impact = ratio_root_up(cost, depth)
        if impact < 0:
            return impact
    return cost + part_up(cost, min(impact, most), _UNIT)
