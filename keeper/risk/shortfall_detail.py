"""What stands behind an expected shortfall: its worst days, and what each underlying and leg adds to it.

The contribution of a part is its average loss over the scenarios of the tail, so that contributions add up to
the whole but for the rounding of a quantum each: Euler's allocation of a homogeneous risk measure (D. Tasche,
"Allocating portfolio economic capital to sub-portfolios", 2004).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keeper.markets.instrument import Leg
from keeper.risk.book import Book, whole
from keeper.risk.expected_shortfall import Shortfall, tail, value_at_risk_day
from keeper.risk.parameters import PPM
from keeper.risk.scan import Integers
from keeper.risk.table import RiskTable
from keeper.units.constants import WAD

_WORST_DAYS = 5


def shortfall_detail(found: Shortfall, book: Book, legs: Sequence[Leg], table: RiskTable) -> dict[str, Any]:
    """Charge, both parts, worst days and contributions of the part that binds, value at risk with the losses
    of its day; JSON-ready.

    Args:
        book: the legs and the coins pledged beside them.
    """
    methodology = table.methodology
    parameters, scenarios = methodology.expected_shortfall, methodology.scenarios
    first, last = (scenarios.filtered, None) if found.is_stressed else (0, scenarios.filtered)
    part = book.history[first:last]
    worst, weights = tail(part, parameters.tail_ppm)
    columns = [first + index for index in worst]
    share = parameters.stressed_ppm if found.is_stressed else PPM
    mass = len(part) * parameters.tail_ppm
    losses = _leg_losses(legs, table, columns)
    coins = -book.history[columns] - losses.sum(axis=0)

    def average(row: Integers) -> int:
        return sum(int(x) * w for x, w in zip(row, weights, strict=True)) * share // (mass * PPM)

    by_leg = [average(row) for row in losses]
    by_underlying: dict[str, int] = {}
    for leg, loss in zip(legs, by_leg, strict=True):
        key = str(table.units[leg.instrument].underlying)
        by_underlying[key] = by_underlying.get(key, 0) + loss
    return {
        "charge": str(found.total),
        "filtered": str(found.filtered),
        "stressed": str(found.stressed),
        "value_at_risk": str(found.value_at_risk),
        "part": "stressed" if found.is_stressed else "filtered",
        "worst_days": [
            {"scenario": scenarios.name(column), "profit": str(int(book.history[column]))}
            for column in columns[:_WORST_DAYS]
        ],
        "underlyings": {key: str(loss) for key, loss in sorted(by_underlying.items())},
        "legs": {str(leg.instrument): str(loss) for leg, loss in zip(legs, by_leg, strict=True)},
        "collateral": str(average(coins)),
        "value_at_risk_day": _value_at_risk_day(book, legs, table),
    }


def _value_at_risk_day(book: Book, legs: Sequence[Leg], table: RiskTable) -> dict[str, Any]:
    """The day whose loss the value at risk is, and what each leg lost on it."""
    parameters, scenarios = table.methodology.expected_shortfall, table.methodology.scenarios
    column = value_at_risk_day(book.history[: scenarios.filtered], parameters.var_ppm)
    losses = _leg_losses(legs, table, [column])[:, 0]
    return {
        "scenario": scenarios.name(column),
        "profit": str(int(book.history[column])),
        "legs": {str(leg.instrument): str(int(loss)) for leg, loss in zip(legs, losses, strict=True)},
    }


def _leg_losses(legs: Sequence[Leg], table: RiskTable, columns: Sequence[int]) -> Integers:
    """Loss of each leg in some scenarios, quanta, shape (legs, columns)."""
    lines = [table.units[leg.instrument].line for leg in legs]
    quantities = np.array([leg.quantity / WAD for leg in legs])
    exact = table.history[np.ix_(lines, list(columns))] if lines else np.zeros((0, len(columns)))
    return -whole(quantities[:, None] * exact)
