"""A book as the charges see it: Greeks per underlying and expiry, profit and loss per scenario.

Everything is rounded to whole quanta leg by leg and summed as integers, so no order of summation matters.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from keeper.markets.instrument import KIND_BITS, Leg
from keeper.pricing.kernels import Floats
from keeper.risk.addons import Addons, Bucket
from keeper.risk.scan import Integers
from keeper.risk.table import RiskTable, Unit, spot_of
from keeper.units.constants import WAD

# 128 legs and 8 collaterals of this size still sum inside 63 bits
_SATURATION = 2.0**55


@dataclass
class Exposure:
    """Greeks of one underlying, quanta: delta and curvature by tenor, vega by tenor and bucket."""

    delta: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    vega: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    curvature: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    theta: int = 0


@dataclass(frozen=True)
class Book:
    """Sums over a set of legs.

    Attributes:
        exposures: by underlying.
        profits: profit and loss in every scenario of the scan, by offset group and underlying.
        history: profit and loss of everything in every scenario of the expected shortfall.
        addons: what grows in proportion to the legs; coins beside the book do not enter it.
    """

    exposures: Mapping[int, Exposure]
    profits: Mapping[int, Mapping[int, Integers]]
    history: Integers
    addons: Addons


def book_of(legs: Sequence[Leg], table: RiskTable) -> Book:
    """Sum legs.

    Raises:
        LookupError: an instrument is not in the table.
        OverflowError: a leg's profit and loss does not fit; the account cannot be margined.
    """
    exposures: dict[int, Exposure] = defaultdict(Exposure)
    members: dict[int, list[tuple[Unit, float]]] = defaultdict(list)
    for leg in legs:
        unit, quantity = table.unit(leg.instrument), leg.quantity / WAD
        members[unit.underlying].append((unit, quantity))
        _add(exposures[unit.underlying], unit, quantity)
    profits: dict[int, dict[int, Integers]] = defaultdict(dict)
    for underlying, rows in members.items():
        group = rows[0][0].group
        exact = table.groups[group].profit[[unit.row for unit, _ in rows]]
        quantities = np.array([quantity for _, quantity in rows])
        profits[group][underlying] = whole(quantities[:, None] * exact).sum(axis=0)
    return Book(exposures, profits, _history(legs, table), _addons(legs, table))


def _addons(legs: Sequence[Leg], table: RiskTable) -> Addons:
    perps = confidence = 0
    spreads: dict[Bucket, int] = defaultdict(int)
    strikes: dict[int, int] = defaultdict(int)
    rates: dict[int, float] = {}
    for leg in legs:
        unit, size = table.units[leg.instrument], abs(leg.quantity) / WAD
        perps += _whole(size * unit.addons.perp)
        confidence += _whole(size * unit.addons.confidence)
        spreads[unit.liquidity] += _whole(size * unit.addons.spread)
        if unit.addons.naked:
            key = leg.instrument >> KIND_BITS
            strikes[key] += leg.quantity
            rates[key] = unit.addons.naked
    naked = sum(_whole(-net / WAD * rates[key]) for key, net in strikes.items() if net < 0)
    return Addons(naked, perps, confidence, spreads)


def _history(legs: Sequence[Leg], table: RiskTable) -> Integers:
    exact = table.history[[table.units[leg.instrument].line for leg in legs]]
    quantities = np.array([leg.quantity / WAD for leg in legs])
    return np.asarray(whole(quantities[:, None] * exact).sum(axis=0))


def with_spot(book: Book, underlying: int, amount: int, table: RiskTable) -> Book:
    """The book with `amount` coins (WAD) of an underlying beside it."""
    unit, quantity = table.unit(spot_of(underlying)), amount / WAD
    before = book.exposures.get(underlying, Exposure())
    delta = dict(before.delta)
    delta[unit.tenor] = delta.get(unit.tenor, 0) + _whole(quantity * unit.rates[0])
    profit = whole(quantity * table.groups[unit.group].profit[unit.row])
    group = book.profits.get(unit.group, {})
    if underlying in group:
        profit = profit + group[underlying]
    return Book(
        {**book.exposures, underlying: replace(before, delta=delta)},
        {**book.profits, unit.group: {**group, underlying: profit}},
        book.history + whole(quantity * table.history[unit.line]),
        book.addons,
    )


def whole(exact: Floats) -> Integers:
    """Rounded to whole quanta. Raises OverflowError beyond what 136 summands may have."""
    if not np.all(np.abs(exact) < _SATURATION):
        raise OverflowError("margin: profit and loss saturates")
    return np.rint(exact).astype(np.int64)


def _add(exposure: Exposure, unit: Unit, quantity: float) -> None:
    delta, vega, curvature, theta = (_whole(quantity * rate) for rate in unit.rates)
    exposure.delta[unit.tenor] += delta
    if vega or curvature or theta:
        exposure.vega[unit.tenor, unit.bucket] += vega
        exposure.curvature[unit.tenor] += curvature
        exposure.theta += theta


def _whole(exact: float) -> int:
    if not abs(exact) < _SATURATION:
        raise OverflowError("margin: profit and loss saturates")
    return round(exact)
