"""A risk table as the kernels of large books read it: padded rows, indices instead of keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt

from keeper.markets.instrument import KIND_BITS, Instrument
from keeper.pricing.kernels import Floats
from keeper.risk.addons import LINEAR
from keeper.risk.compiled_addons import AddonTerms
from keeper.risk.compiled_greeks import Units, Weights
from keeper.risk.compiled_marks import Terms
from keeper.risk.compiled_scan import Cells, Layout
from keeper.risk.compiled_shortfall import Tail
from keeper.risk.concentration import threshold
from keeper.risk.greeks import BODY
from keeper.risk.liquidity import depth_of, most_impact
from keeper.risk.parameters import PPM
from keeper.risk.scan import Integers
from keeper.risk.table import RiskTable, Unit

Rows = npt.NDArray[np.int32]

# cells of a row, so that every row begins on a cache line of 64 bytes
_ROW = 8
# what the parts of a mark hold
_MOST_WHOLE = 2**53
_MOST_LIMIT = 2**62


@dataclass(frozen=True)
class BatchTable:
    """Arrays of a risk table; instruments are rows in the order of `Unit.line`.

    Attributes:
        source: the table they were made of.
        instruments: packed, by row.
        underlyings: identifiers, by index; groups: keys of the offset groups, by index.
        peaks: the largest size of anything that is multiplied by a quantity, quanta, by row.
        tail: of the expected shortfall; `history` its cells.
    """

    source: RiskTable
    instruments: tuple[int, ...]
    underlyings: tuple[int, ...]
    groups: tuple[int, ...]
    cells: Cells
    layout: Layout
    history: Cells
    tail: Tail
    units: Units
    weights: Weights
    terms: Terms
    addons: AddonTerms
    peaks: Floats


def batch_table(table: RiskTable) -> BatchTable:
    """Arrays of a table, made once and used for all accounts."""
    units = sorted(table.units.items(), key=lambda item: item[1].line)
    rows = [unit for _, unit in units]
    unpacked = [Instrument.unpack(packed) for packed, _ in units]
    underlyings, groups = tuple(dict.fromkeys(u.underlying for u in rows)), tuple(sorted(table.groups))
    index = {underlying: i for i, underlying in enumerate(underlyings)}
    owner = _indices([index[u.underlying] for u in rows])
    cells, history = _scan_cells(rows, table), _history_cells(table)
    rates = np.array([u.rates for u in rows])
    terms = _terms(unpacked, table)
    addons = _addon_terms(units, underlyings, owner, terms.series, table)
    peaks = np.maximum(np.abs(rates).max(axis=1), np.abs(table.history).max(axis=1))
    peaks = np.maximum(peaks, addons.rates.max(axis=1))
    for key in groups:
        members = [u.line for u in rows if u.group == key]
        peaks[members] = np.maximum(peaks[members], np.abs(table.groups[key].profit).max(axis=1))
    peaks[terms.mark >= _MOST_WHOLE] = np.inf
    return BatchTable(
        source=table,
        instruments=tuple(packed for packed, _ in units),
        underlyings=underlyings,
        groups=groups,
        cells=cells,
        layout=Layout(_indices([groups.index(u.group) for u in rows]), owner),
        history=history,
        tail=_tail(table),
        units=Units(owner, _indices([u.tenor for u in rows]), _indices([u.bucket for u in rows]), rates),
        weights=_weights(underlyings, table),
        terms=terms,
        addons=addons,
        peaks=peaks,
    )


def _indices(values: Sequence[int]) -> Rows:
    return np.array(values, dtype=np.int32)


def _aligned(size: int) -> Floats:
    """Zeros that begin on a cache line."""
    raw = np.zeros(size + _ROW)
    skip = -(raw.ctypes.data // raw.itemsize) % _ROW
    return raw[skip : skip + size]


def _padded(width: int) -> int:
    return -(-width // _ROW) * _ROW


def _scan_cells(rows: Sequence[Unit], table: RiskTable) -> Cells:
    """The last scenario fills the padding: it changes neither the least cell nor the first that is least."""
    widths = np.array([_padded(table.groups[u.group].profit.shape[1]) for u in rows], dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    values = _aligned(int(start[-1]))
    for unit, begin, end in zip(rows, start[:-1], start[1:], strict=True):
        profit = table.groups[unit.group].profit[unit.row]
        values[begin : begin + len(profit)] = profit
        values[begin + len(profit) : end] = profit[-1]
    return Cells(values, start[:-1].copy(), widths)


def _history_cells(table: RiskTable) -> Cells:
    count, scenarios = table.history.shape
    width = _padded(scenarios)
    values = _aligned(count * width)
    values.reshape(count, width)[:, :scenarios] = table.history
    return Cells(values, np.arange(count, dtype=np.int64) * width, np.full(count, width, dtype=np.int64))


def _tail(table: RiskTable) -> Tail:
    """Weights of the tail in whole numbers as small as they get, so that 64 bits hold their sums."""
    parameters, scenarios = table.methodology.expected_shortfall, table.methodology.scenarios
    bounds = np.array([0, scenarios.filtered, len(scenarios.labels)], dtype=np.int64)
    masses = [Fraction(int(size) * parameters.tail_ppm, PPM) for size in np.diff(bounds)]
    unit = lcm(*(mass.denominator for mass in masses))
    columns = [(int(m), unit, int((m - int(m)) * unit), int(m * unit)) for m in masses]
    count, weight, rest, mass = (np.array(column, dtype=np.int64) for column in zip(*columns, strict=True))
    quantile = max(scenarios.filtered * parameters.var_ppm // PPM, 1) - 1
    return Tail(bounds[:-1].copy(), bounds[1:].copy(), count, weight, rest, mass, quantile)


def _weights(underlyings: Sequence[int], table: RiskTable) -> Weights:
    m, tenors, greeks = table.methodology, table.tenors, table.methodology.greeks
    limits = [min(threshold(m, u), _MOST_LIMIT) for u in underlyings]
    return Weights(
        delta=np.array(tenors.delta, dtype=np.float64),
        vega=np.array(tenors.vega, dtype=np.float64),
        curvature=np.array(tenors.curvature, dtype=np.float64),
        roll=_whole(tenors.roll_ppm),
        spot=_whole([m.spot(u).weight_ppm for u in underlyings]),
        limit=_whole(limits),
        row=_indices([m.correlated.get(u, -1) for u in underlyings]),
        sets=np.array([matrix for _, matrix in m.correlation_sets], dtype=np.float64).reshape(
            len(m.correlation_sets), len(m.correlated), len(m.correlated)
        ),
        shares=(
            greeks.bucket_ppm,
            greeks.curvature_linear_ppm,
            greeks.curvature_root_ppm,
            greeks.delta_vega_ppm,
        ),
    )


def _whole(values: npt.ArrayLike) -> Integers:
    return np.array(values, dtype=np.int64)


def _addon_terms(
    units: Sequence[tuple[int, Unit]], underlyings: Sequence[int], owner: Rows, series: Rows, table: RiskTable
) -> AddonTerms:
    methodology = table.methodology
    strikes: dict[int, int] = {}
    rows = [unit for _, unit in units]
    return AddonTerms(
        underlying=owner,
        series=series,
        strike=_indices([strikes.setdefault(packed >> KIND_BITS, len(strikes)) for packed, _ in units]),
        bucket=_indices([unit.liquidity[2] for unit in rows]),
        rates=np.array([unit.addons for unit in rows], dtype=np.float64),
        depth=_whole([[depth_of((u, 0, kind), methodology) for kind in (LINEAR, BODY)] for u in underlyings]),
        most=most_impact(methodology),
    )


def _terms(unpacked: Sequence[Instrument], table: RiskTable) -> Terms:
    """Marks, and what the brackets of `keeper.risk.payoff` need."""
    forwards = []
    for instrument in unpacked:
        listed = table.market.underlying(instrument.underlying)
        forwards.append(
            listed.expiry(instrument.expiry).settlement_forward if instrument.expiry else listed.effective
        )
    series: dict[tuple[int, int], int] = {}
    return Terms(
        series=_indices([series.setdefault((i.underlying, i.expiry), len(series)) for i in unpacked]),
        kind=_indices([int(i.kind) for i in unpacked]),
        mark=_whole([table.marks[i.pack()] for i in unpacked]),
        strike=np.array([i.strike for i in unpacked], dtype=np.float64),
        forward=np.array(forwards, dtype=np.float64),
    )
