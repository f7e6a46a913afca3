"""Stand-alone margins of many instruments at once: `keeper.risk.margin.unit_margins`, to the last digit."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from keeper.risk.batch import batch_margins
from keeper.risk.batch_table import BatchTable
from keeper.risk.books import Books
from keeper.risk.liquidity import steepest_ppm
from keeper.risk.margin import UnitMargins
from keeper.risk.parameters import PPM
from keeper.units.constants import PRICE_UNIT

_COIN = 10**8


def batch_unit_margins(table: BatchTable, instruments: Iterable[int]) -> tuple[UnitMargins, ...]:
    """Margins of one unit of each instrument, long and short, in the anonymous tier; ascending.

    Raises:
        LookupError: an instrument is not in the table.
    """
    packed = sorted(set(instruments))
    lines = np.array([table.source.unit(one).line for one in packed], dtype=np.int32)
    count = len(packed)
    books = Books(
        np.arange(2 * count + 1, dtype=np.int64),
        np.concatenate([lines, lines]),
        np.repeat(np.array([_COIN, -_COIN], dtype=np.int64), count),
    )
    found = batch_margins(table, books, detail=False)
    # liquidity at its largest slope, as a unit is added to books of any size
    spreads = np.rint(table.addons.rates[books.rows, 3]).astype(np.int64)
    steepest = -(-spreads * steepest_ppm(table.source.methodology) // PPM)
    levels = replace(found, addons=found.addons._replace(liquidity=steepest)).levels
    initial, maintenance = levels.initial.integers(), levels.maintenance.integers()
    return tuple(
        UnitMargins(
            one,
            table.source.marks[one] * PRICE_UNIT,
            initial[i],
            maintenance[i],
            initial[count + i],
            maintenance[count + i],
        )
        for i, one in enumerate(packed)
    )
