"""Expected shortfall of many books: the average of their worst scenarios, by partial selection."""

from typing import NamedTuple

import numpy as np

from keeper.risk.compiled import Array, compiled
from keeper.risk.compiled_scan import Cells, Positions, accumulate


class Tail(NamedTuple):
    """The worst scenarios of each part of a set: `whole` ones weigh `weight`, the next one `rest`, of
    `mass`; `quantile` is the rank of the value at risk, from 0.
    """

    begin: Array
    end: Array
    whole: Array
    weight: Array
    rest: Array
    mass: Array
    quantile: int


@compiled
def shortfall(p: Positions, cells: Cells, tail: Tail, span: tuple[int, int], out: Array, risk: Array) -> None:
    """Expected shortfall of each part of the scenario set, quanta, into `out` of shape (accounts, parts); the
    value at risk of the first part into `risk`.
    """
    sums = np.empty(cells.width.max())
    kept = np.empty(max(tail.whole.max() + 1, tail.quantile + 1))
    for account in range(span[0], span[1]):
        first, last = p.indptr[account], p.indptr[account + 1]
        if first == last:
            continue
        accumulate(p, cells, first, last, sums)
        for part in range(len(tail.whole)):
            rank = tail.quantile if part == 0 else 0
            size = max(tail.whole[part] + 1, rank + 1)
            _keep_least(sums, tail.begin[part], tail.end[part], kept, size)
            total = 0
            for k in range(tail.whole[part]):
                total -= int(kept[k]) * tail.weight[part]
            total -= int(kept[tail.whole[part]]) * tail.rest[part]
            out[account, part] = max(0, -(-total // tail.mass[part]))
            if part == 0:
                risk[account] = max(0, -int(kept[rank]))


@compiled
def _keep_least(sums: Array, begin: int, end: int, kept: Array, size: int) -> None:
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
