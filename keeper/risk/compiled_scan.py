"""Profit and loss of many books in every scenario, and the worst of them: the kernels of the scan.

Cells are profits of one unit in quanta, one row of columns per instrument, all rows in one array. A leg's
profit in a scenario is quantity * cell rounded to a whole number: adding and subtracting 1.5 * 2**52 rounds
halves to even, as `keeper.risk.book` does. Sums of whole numbers below 2**53 are exact in doubles, in any
order. Rows are summed four at a time over unsigned indices, which lets the compiler use the widest vectors.
"""

from typing import Any, NamedTuple

import numpy as np

from keeper.risk.compiled import Array, compiled

# rounds every double below 2**51 to a whole number
ROUNDER = 1.5 * 2.0**52
COINS = 1e8
_PPM = 1e6
_LANES = 8
# quanta: what the rounding of one leg allows, a quarter of what a sum may have
_MOST_SUM = 2.0**51
# two of one strike still add up exactly
_MOST_QUANTITY = 2**52


class Positions(NamedTuple):
    """Legs of all accounts, 1e-8 coins: account a has indptr[a] to indptr[a + 1], ascending by row."""

    indptr: Array
    rows: Array
    quantities: Array


class Cells(NamedTuple):
    """Profits of one unit, quanta: `start` of a row's columns by instrument, `width` (a multiple of 8)."""

    values: Array
    start: Array
    width: Array


class Layout(NamedTuple):
    """Offset group and underlying of each instrument, as indices."""

    group: Array
    underlying: Array


class ScanResult(NamedTuple):
    """Per account: the charge; per offset group its loss and binding column (-1 without legs); per
    underlying its profit there. The last three may have no columns: then they are left out.
    """

    charge: Array
    loss: Array
    column: Array
    profit: Array


@compiled
def fits(p: Positions, peaks: Array, span: tuple[int, int], out: Array) -> None:
    """Whether all sums of each account stay where doubles are exact.

    Args:
        peaks: most that one unit adds to any sum, quanta, by row.
    """
    for account in range(span[0], span[1]):
        total, most = 0.0, 0
        for j in range(p.indptr[account], p.indptr[account + 1]):
            most = max(most, abs(p.quantities[j]))
            total += abs(p.quantities[j]) / COINS * peaks[p.rows[j]]
        out[account] = total < _MOST_SUM and most <= _MOST_QUANTITY


@compiled
def accumulate(p: Positions, cells: Cells, first: int, last: int, sums: Array) -> None:
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
            # of a pair, one is rounded above ROUNDER and one below -ROUNDER: their sum is both without either
            left = (w * values[a + s] + ROUNDER) + (x * values[b + s] - ROUNDER)
            right = (y * values[c + s] + ROUNDER) + (z * values[d + s] - ROUNDER)
            sums[s] += left + right
        j += 4
    while j < last:
        a, w = np.uint64(cells.start[p.rows[j]]), p.quantities[j] / COINS
        for s in range(columns):
            sums[s] += (w * values[a + s] + ROUNDER) - ROUNDER
        j += 1


@compiled
def _underlying_end(p: Positions, layout: Layout, first: int, end: int) -> Any:
    """Position after the last leg of the underlying of leg `first`, of an account whose legs end at `end`."""
    underlying = layout.underlying[p.rows[first]]
    # rows of one underlying lie together, and most accounts hold one: then its last leg says so
    if layout.underlying[p.rows[end - 1]] == underlying:
        return end
    j = first
    while layout.underlying[p.rows[j]] == underlying:
        j += 1
    return j


@compiled
def least(sums: Array, columns: int, lanes: Array) -> Any:
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
def _add_part(net: Array, sums: Array, columns: int, share: float) -> None:
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
                first, j = j, _underlying_end(p, layout, j, end)
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
                    out.profit[account, layout.underlying[p.rows[k]]] += int((exact + ROUNDER) - ROUNDER)
        out.charge[account] = charge
