"""The Greeks charge and the roll charge of many books: `keeper.risk.greeks_charge` to the quantum.

Quadratic forms are summed as pairs of doubles and their roots rounded up by comparing squares (see
`keeper.risk.compiled_exact`); where that cannot decide, the account is marked for the exact integers.
"""

from typing import NamedTuple

import numpy as np

from keeper.risk.compiled import Array, compiled
from keeper.risk.compiled_exact import UNDECIDED, Pair, add, part_up, product, ratio_root_up, root_up, scale
from keeper.risk.compiled_scan import COINS, ROUNDER, Positions

_PPM = 1_000_000
_CORRELATION = 1e15
_RATIO = 1_000_000_000  # roots of ratios carry nine decimals
_BUCKETS = 3
_TO_TENOR = 1e9  # correlations of underlyings are ppm, of expiries 1e-15


class Units(NamedTuple):
    """Instruments: indices of underlying, tenor and bucket; delta, vega, curvature and theta of one unit,
    quanta, shape (n, 4).
    """

    underlying: Array
    tenor: Array
    bucket: Array
    rates: Array


class Weights(NamedTuple):
    """Parameters of the charges. `delta`, `vega`, `curvature`: correlations of tenors, 1e-15. By underlying:
    `spot` its weight, ppm; `limit` its concentration threshold, quanta; `row` in the correlation sets `sets`
    (ppm), -1 for none. `shares`: of buckets, curvature's sum, curvature's root, delta with vega; ppm.
    """

    delta: Array
    vega: Array
    curvature: Array
    roll: Array
    spot: Array
    limit: Array
    row: Array
    sets: Array
    shares: tuple[int, int, int, int]


class GreeksResult(NamedTuple):
    """Quanta per account; `worst_set` indexes the correlation sets; `net` and `charged` of shape (accounts,
    underlyings) are |net delta| and the delta charge before its weight; of `undecided` ones nothing counts.
    """

    total: Array
    delta: Array
    vega: Array
    curvature: Array
    theta: Array
    concentration: Array
    roll: Array
    worst_set: Array
    net: Array
    charged: Array
    undecided: Array


class _Scratch(NamedTuple):
    """Of one account: by tenor its index, delta, curvature, vega in total and by bucket, shape (6, legs); by
    correlated underlying its row, weight and signed net delta, shape (3, underlyings).
    """

    tenor: Array
    sums: Array
    listed: Array


_DELTA, _CURVATURE, _TOTAL_VEGA, _FIRST_BUCKET = range(4)


@compiled
def form(values: Array, tenors: Array, count: int, matrix: Array) -> tuple[Pair, float]:
    """Quadratic form of whole numbers below 2**52, and the sum of the sizes of its terms."""
    total, size = (0.0, 0.0), 0.0
    for i in range(count):
        x = values[i]
        if x == 0.0:
            continue
        inner = product(matrix[tenors[i], tenors[i]], x)
        inner_size = abs(inner[0])
        for j in range(i):
            if values[j] != 0.0:
                term = product(2.0 * matrix[tenors[i], tenors[j]], values[j])
                inner_size += abs(term[0])
                inner = add(inner, term)
        total = add(total, scale(inner, x))
        size += inner_size * abs(x)
    return total, size


@compiled
def charge_greeks(
    p: Positions, units: Units, weights: Weights, span: tuple[int, int], out: GreeksResult
) -> None:
    """Greeks charge and roll of the accounts `span`."""
    most = 1
    for account in range(span[0], span[1]):
        most = max(most, p.indptr[account + 1] - p.indptr[account])
    scratch = _Scratch(np.empty(most, np.int32), np.empty((6, most)), np.empty((3, len(weights.spot))))
    for account in range(span[0], span[1]):
        _charge_account(p, units, weights, account, scratch, out)


@compiled
def _charge_account(
    p: Positions, units: Units, weights: Weights, account: int, scratch: _Scratch, out: GreeksResult
) -> None:
    j, end = p.indptr[account], p.indptr[account + 1]
    own, size = (0.0, 0.0), 0.0
    listed, apart = 0, 0
    is_decided = True
    while j < end:
        underlying = units.underlying[p.rows[j]]
        j, count, theta = _exposure(p, units, j, end, scratch)
        net = 0.0
        for i in range(count):
            delta = scratch.sums[_DELTA, i]
            net += delta
            out.roll[account] += part_up(int(abs(delta)), weights.roll[scratch.tenor[i]], _PPM)
        square, terms = form(scratch.sums[_DELTA], scratch.tenor, count, weights.delta)
        charged = root_up(square, terms, _CORRELATION, 1.0)
        vega = _vega(scratch, count, weights)
        root = _curvature_root(scratch, count, weights)
        excess = 0
        if charged >= 0:
            charge = part_up(charged, weights.spot[underlying], _PPM)
            excess = _excess(int(abs(net)), charge, weights.limit[underlying])
        is_decided = is_decided and min(charged, vega, root, excess) >= 0
        weight = float(weights.spot[underlying])
        if weights.row[underlying] >= 0:
            own = add(own, scale(square, weight * weight))
            size += terms * weight * weight
            scratch.listed[0, listed] = weights.row[underlying]
            scratch.listed[1, listed], scratch.listed[2, listed] = weight, net
            listed += 1
        elif charged >= 0:
            apart += charge
        out.vega[account] += vega
        out.curvature[account] += max(0, int(scratch.sums[_CURVATURE, :count].sum()) + root)
        out.theta[account] += max(0, -int(theta))
        out.concentration[account] += excess
        if out.net.shape[1] > 0:
            out.net[account, underlying], out.charged[account, underlying] = int(abs(net)), charged
    joint, out.worst_set[account] = _joint(own, size, listed, scratch.listed, weights)
    out.delta[account] = joint + apart + out.concentration[account]
    out.total[account] = -1
    if is_decided and joint >= 0:
        root = _norm(out.delta[account], out.vega[account], weights.shares[3])
        if root >= 0:
            out.total[account] = root + out.curvature[account] + out.theta[account]
    out.undecided[account] = out.total[account] < 0


@compiled
def _exposure(p: Positions, units: Units, j: int, end: int, scratch: _Scratch) -> tuple[int, int, float]:
    """Greeks of one underlying's legs by tenor: the leg after the last, the number of tenors, theta."""
    underlying, count, theta = units.underlying[p.rows[j]], 0, 0.0
    sums = scratch.sums
    while j < end and units.underlying[p.rows[j]] == underlying:
        row = p.rows[j]
        if count == 0 or scratch.tenor[count - 1] != units.tenor[row]:
            scratch.tenor[count] = units.tenor[row]
            sums[:, count] = 0.0
            count += 1
        quantity = p.quantities[j] / COINS
        rates = units.rates[row]
        vega = (quantity * rates[1] + ROUNDER) - ROUNDER
        sums[_DELTA, count - 1] += (quantity * rates[0] + ROUNDER) - ROUNDER
        sums[_CURVATURE, count - 1] += (quantity * rates[2] + ROUNDER) - ROUNDER
        sums[_TOTAL_VEGA, count - 1] += vega
        sums[_FIRST_BUCKET + units.bucket[row], count - 1] += vega
        theta += (quantity * rates[3] + ROUNDER) - ROUNDER
        j += 1
    return j, count, theta


@compiled
def _vega(scratch: _Scratch, count: int, weights: Weights) -> int:
    """Vega charge of one underlying."""
    share = float(weights.shares[0])
    square, size = form(scratch.sums[_TOTAL_VEGA], scratch.tenor, count, weights.vega)
    if size == 0.0 and not np.any(scratch.sums[_FIRST_BUCKET:, :count]):
        return 0
    square, size = scale(square, share), size * share
    for bucket in range(_BUCKETS):
        part, part_size = form(scratch.sums[_FIRST_BUCKET + bucket], scratch.tenor, count, weights.vega)
        square = add(square, scale(part, _PPM - share))
        size += part_size * (_PPM - share)
    return root_up(square, size, _CORRELATION, float(_PPM))


@compiled
def _curvature_root(scratch: _Scratch, count: int, weights: Weights) -> int:
    """The root in the curvature charge of one underlying."""
    linear, share = float(weights.shares[1]), float(weights.shares[2])
    square, size = form(scratch.sums[_CURVATURE], scratch.tenor, count, weights.curvature)
    square = scale(scale(square, share), share)
    return root_up(square, size * share * share, _CORRELATION, linear * linear)


@compiled
def _excess(net: int, charge: int, limit: int) -> int:
    """What concentration adds: charge * (sqrt(net / limit) - 1), or UNDECIDED."""
    if net <= limit:
        return 0
    ratio = ratio_root_up(net, limit)
    return UNDECIDED if ratio < 0 else part_up(charge, ratio - _RATIO, _RATIO)


@compiled
def _joint(own: Pair, own_size: float, count: int, listed: Array, weights: Weights) -> tuple[int, int]:
    """Joint delta charge of the correlated underlyings in the worst set, and the set."""
    best, worst = -1, 0
    for index in range(len(weights.sets)):
        square, size = own, own_size
        for i in range(count):
            for j in range(i):
                correlation = 2.0 * weights.sets[index, int(listed[0, i]), int(listed[0, j])] * _TO_TENOR
                term = scale(product(listed[2, i], listed[2, j]), listed[1, i] * listed[1, j])
                term = scale(term, correlation)
                square = add(square, term)
                size += abs(term[0])
        charge = root_up(square, size, _CORRELATION, 1e12)
        if charge < 0:
            return UNDECIDED, 0
        if charge > best:
            best, worst = charge, index
        if count < 2:
            break
    return best, worst


@compiled
def _norm(delta: int, vega: int, share: int) -> int:
    """sqrt(D**2 + V**2 + 2 * share * D * V), rounded up."""
    if delta == 0 or vega == 0:
        return delta + vega
    d, v = float(delta), float(vega)
    squares = scale(add(product(d, d), product(v, v)), float(_PPM))
    cross = scale(product(d, v), 2.0 * share)
    return root_up(add(squares, cross), squares[0] + cross[0], float(_PPM), 1.0)
