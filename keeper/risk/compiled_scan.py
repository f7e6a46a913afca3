"""Profit and loss of many books in every scenario, and the worst of them: the kernels of scan and shortfall.

Cells are profits of one unit in quanta, one row of columns per instrument, all rows in one array. A leg's
profit in a scenario is quantity * cell rounded to a whole number: adding and subtracting 1.5 * 2**52 rounds
halves to even, as `keeper.risk.book` does. Sums of whole numbers below 2**53 are exact in doubles, in any
order. Rows are summed four at a time over unsigned indices, which lets the compiler use the widest vectors.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats
from keeper.risk.compiled import compiled
from keeper.risk.scan import Integers

Rows = npt.NDArray[np.int32]

# rounds every double below 2**51 to a whole number
ROUNDER = 1.5 * 2.0**52
COINS = 1e8
_PPM = 1e6
_LANES = 8
# quanta: what the rounding of one leg allows, a quarter of what a sum may have
_MOST_SUM = 2.0**51
_MOST_QUANTITY = 2**53


class Positions(NamedTuple):
    """Legs of all accounts: those of account a are indptr[a] to indptr[a + 1], ascending by row; 1e-8 coins."""

    indptr: Integers
    rows: Rows
    quantities: Integers


class Cells(NamedTuple):
    """Profits of one unit, quanta: `start` of a row's columns by instrument, `width` (a multiple of 8)."""

    values: Floats
    start: Integers
    width: Integers


class Layout(NamedTuple):
    """Offset group and underlying of each instrument, as indices."""

    group: Rows
    underlying: Rows


class ScanResult(NamedTuple):
    """Per account: the charge; per offset group its loss and binding column (-1 without legs); per
    underlying its profit there. The last three may have no columns: then they are left out.
    """

    charge: Integers
    loss: Integers
    column: Rows
    profit: Integers


class Tail(NamedTuple):
    """The worst scenarios of each part of a set: `count` whole ones weigh `weight`, the next one `rest`, of
    `mass`; `quantile` is the rank of the value at risk, from 0.
    """

    begin: Integers
    end: Integers
    count: Integers
    weight: Integers
    rest: Integers
    mass: Integers
    quantile: int


@compiled
def fits(p: Positions, peaks: Floats, span: tuple[int, int], out: npt.NDArray[np.bool_]) -> None:
    """Whether all sums of each account stay where doubles are exact; `peaks`: most that one unit adds to any."""
    for account in range(span[0], span[1]):
        total, most = 0.0, 0
        for j in range(p.indptr[account], p.indptr[account + 1]):
            most = max(most, abs(p.quantities[j]))
            total += abs(p.quantities[j]) / COINS * peaks[p.rows[j]]
        out[account] = total < _MOST_SUM and most <= _MOST_QUANTITY


@compiled
def accumulate(p: Positions, cells: Cells, first: int, last: int, sums: Floats) -> None:
    """Profits of legs `first` to `last` in every column."""
    values = cells.values
    columns = np.uint64(cells.width[p.rows[first]])
    for s in range(columns):
        sums[s] = 0.0
    j = first
    while j + 4 <= last:
        a, b = np.uint64(cells.start[p.rows[j]]), np.uint64(cells.start[p.rows[j + 1]])
        c, d = np.uint64(cells.start[p.rows[j + 2]]), np.uint64(cells.start[p.rows[j + 3]])
        w, x = p.quantities[j] / COINS, p.quantities[j + 1] / COINS
        y, z = p.quantities[j + 2] / COINS, p.quantities[j + 3] / COINS
        for s in range(columns):
            left = ((w * values[a + s] + ROUNDER) - ROUNDER) + ((x * values[b + s] + ROUNDER) - ROUNDER)
            right = ((y * values[c + s] + ROUNDER) - ROUNDER) + ((z * values[d + s] + ROUNDER) - ROUNDER)
            sums[s] += left + right
        j += 4
    while j < last:
        a, w = np.uint64(cells.start[p.rows[j]]), p.quantities[j] / COINS
        for s in range(columns):
            sums[s] += (w * values[a + s] + ROUNDER) - ROUNDER
        j += 1


@compiled
def least(sums: Floats, columns: int, lanes: Floats) -> float:
    """The least sum: eight running minima, which the compiler keeps in one vector."""
    for k in range(_LANES):
        lanes[k] = sums[k]
    for s in range(_LANES, columns, _LANES):
        for k in range(_LANES):
            lanes[k] = min(lanes[k], sums[s + k])
    result = lanes[0]
    for k in range(1, _LANES):
        result = min(result, lanes[k])
    return result


@compiled
def _add_part(net: Floats, sums: Floats, columns: int, share: float) -> None:
    """Losses in full, gains by their share (ppm), rounded down: profit // ppm * share + ...; every quotient
    and product here is below 2**53, and no quotient is near enough to the next whole number to round to it.
    """
    for s in range(columns):
        gain = max(sums[s], 0.0)
        whole = np.floor(gain / _PPM)
        rest = gain - whole * _PPM
        net[s] += min(sums[s], 0.0) + (whole * share + np.floor(rest * share / _PPM))


@compiled
def scan(
    p: Positions, cells: Cells, layout: Layout, share: float, span: tuple[int, int], out: ScanResult
) -> None:
    """Scan charge of the accounts `span`.

    Args:
        share: of gains that offset losses of other underlyings of a group, ppm.
    """
    sums, net = np.empty(cells.width.max()), np.empty(cells.width.max())
    lanes = np.empty(_LANES)
    is_detailed = out.loss.shape[1] > 0
    for account in range(span[0], span[1]):
        charge = 0.0
        j, end = p.indptr[account], p.indptr[account + 1]
        while j < end:
            group, columns = layout.group[p.rows[j]], cells.width[p.rows[j]]
            begin, parts = j, 0
            while j < end and layout.group[p.rows[j]] == group:
                first, underlying = j, layout.underlying[p.rows[j]]
                while j < end and layout.underlying[p.rows[j]] == underlying:
                    j += 1
                is_alone = parts == 0 and (j == end or layout.group[p.rows[j]] != group)
                accumulate(p, cells, first, j, sums)
                if is_alone:
                    break
                if parts == 0:
                    net[:columns] = 0.0
                _add_part(net, sums, columns, share)
                parts += 1
            result = net if parts else sums
            worst = least(result, columns, lanes)
            charge += max(0.0, -worst)
            if is_detailed:
                column = 0
                while result[column] != worst:
                    column += 1
                out.column[account, group], out.loss[account, group] = column, max(0.0, -worst)
                for k in range(begin, j):
                    exact = p.quantities[k] / COINS * cells.values[cells.start[p.rows[k]] + column]
                    out.profit[account, layout.underlying[p.rows[k]]] += np.int64((exact + ROUNDER) - ROUNDER)
        out.charge[account] = charge


@compiled
def shortfall(
    p: Positions, cells: Cells, tail: Tail, span: tuple[int, int], out: Integers, risk: Integers
) -> None:
    """Expected shortfall of each part of the scenario set, quanta, into `out` of shape (accounts, parts); the
    value at risk of the first part into `risk`.
    """
    sums = np.empty(cells.width.max())
    kept = np.empty(max(tail.count.max() + 1, tail.quantile + 1))
    for account in range(span[0], span[1]):
        first, last = p.indptr[account], p.indptr[account + 1]
        if first == last:
            continue
        accumulate(p, cells, first, last, sums)
        for part in range(len(tail.count)):
            rank = tail.quantile if part == 0 else 0
            size = max(tail.count[part] + 1, rank + 1)
            _keep_least(sums, tail.begin[part], tail.end[part], kept, size)
            total = 0
            for k in range(tail.count[part]):
                total -= np.int64(kept[k]) * tail.weight[part]
            total -= np.int64(kept[tail.count[part]]) * tail.rest[part]
            out[account, part] = max(0, -(-total // tail.mass[part]))
            if part == 0:
                risk[account] = max(0, -np.int64(kept[rank]))


@compiled
def _keep_least(sums: Floats, begin: int, end: int, kept: Floats, size: int) -> None:
    """The `size` least sums, ascending, by insertion: few of many arrive once the first are in."""
    kept[:size] = np.inf
    for s in range(begin, end):
        value = sums[s]
        if value < kept[size - 1]:
            k = size - 1
            while k > 0 and kept[k - 1] > value:
                kept[k] = kept[k - 1]
                k -= 1
            kept[k] = value
