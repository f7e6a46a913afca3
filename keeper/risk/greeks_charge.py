"""The Greeks charge G: delta, vega, curvature and theta of a book.

G = sqrt(D**2 + V**2 + 2 * c * D * V) + C + T, where D combines expiries by their correlation, underlyings by
the worst of three sets of correlations, and adds what concentration needs; V combines moneyness buckets and
expiries; V, C and T of several underlyings add up. Apart from concentration every part is a norm, or a norm
plus a linear term held at zero, so G is subadditive and homogeneous up to a few quanta.

Whole quanta and integer square roots throughout; every root and division rounds up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keeper.risk.book import Exposure
from keeper.risk.concentration import Position, excess, root_up, threshold
from keeper.risk.greeks import BODY, CALL_WING, PUT_WING
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.tenors import CORRELATION_UNIT, Rows, Tenors


@dataclass(frozen=True)
class DeltaCharge:
    """Quanta.

    Attributes:
        total: everything below.
        correlation_set: the worst set's name.
        concentration: what concentrated positions add, in `total`.
        positions: by underlying.
    """

    total: int
    correlation_set: str
    concentration: int
    positions: Mapping[int, Position]


@dataclass(frozen=True)
class SmileCharge:
    """The parts that a linear hedge does not change, quanta."""

    vega: int
    curvature: int
    theta: int


@dataclass(frozen=True)
class GreeksCharge:
    """G with its parts, quanta."""

    total: int
    delta: DeltaCharge
    smile: SmileCharge

    def detail(self) -> dict[str, Any]:
        """JSON-ready, integers as text."""
        return {
            "charge": str(self.total),
            "delta": str(self.delta.total),
            "concentration": str(self.delta.concentration),
            "correlation_set": self.delta.correlation_set,
            "vega": str(self.smile.vega),
            "curvature": str(self.smile.curvature),
            "theta": str(self.smile.theta),
        }


def combine(delta: DeltaCharge, smile: SmileCharge, methodology: Methodology) -> GreeksCharge:
    """G of its parts."""
    d, v = delta.total, smile.vega
    cross = -(-2 * methodology.greeks.delta_vega_ppm * d * v // PPM)
    root = root_up(d * d + v * v + cross)
    return GreeksCharge(root + smile.curvature + smile.theta, delta, smile)


def delta_charge(exposures: Mapping[int, Exposure], tenors: Tenors, methodology: Methodology) -> DeltaCharge:
    """D: deltas of all underlyings."""
    squares = {u: _form(e.delta, tenors.delta) for u, e in exposures.items()}
    nets = {u: sum(e.delta.values()) for u, e in exposures.items()}
    positions = {
        u: Position(abs(nets[u]), root_up(-(-square // CORRELATION_UNIT))) for u, square in squares.items()
    }
    concentration = apart = 0
    for u, position in positions.items():
        charge = -(-methodology.spot(u).weight_ppm * position.charged // PPM)
        concentration += excess(position.net, charge, threshold(methodology, u))
        apart += 0 if u in methodology.correlated else charge
    name, joint = _worst_set(squares, nets, methodology)
    return DeltaCharge(joint + apart + concentration, name, concentration, positions)


def _worst_set(squares: Mapping[int, int], nets: Mapping[int, int], m: Methodology) -> tuple[str, int]:
    """The largest joint delta charge of the named underlyings, and whose set it is: the square of each one's
    charge, and for each pair the product of the net charges times their correlation.
    """
    listed = [(row, u, m.spot(u).weight_ppm) for u, row in m.correlated.items() if u in squares]
    own = sum(weight * weight * squares[u] for _, u, weight in listed)
    signed = [(row, weight * nets[u]) for row, u, weight in listed]
    best = ("base", -1)
    for name, matrix in m.correlation_sets:
        cross = sum(
            2 * matrix[row][other] * x * y
            for index, (row, x) in enumerate(signed)
            for other, y in signed[:index]
        )
        square = own + cross * (CORRELATION_UNIT // PPM)
        charge = root_up(-(-square // (CORRELATION_UNIT * PPM**2)))
        if charge > best[1]:
            best = (name, charge)
    return best


def smile_charge(exposures: Iterable[Exposure], tenors: Tenors, methodology: Methodology) -> SmileCharge:
    """V, C and T: each added up over the underlyings."""
    vega = curvature = theta = 0
    for exposure in exposures:
        if exposure.vega:
            vega += _vega(exposure.vega, tenors.vega, methodology.greeks.bucket_ppm)
            curvature += _curvature(exposure.curvature, tenors.curvature, methodology)
            theta += max(0, -exposure.theta)
    return SmileCharge(vega, curvature, theta)


def _vega(vegas: Mapping[tuple[int, int], int], rows: Rows, bucket_ppm: int) -> int:
    """The pairs of one bucket count in full, those of two buckets by `bucket_ppm`: the form of the bucket
    totals times that share, plus the form of each bucket times the rest.
    """
    totals: dict[int, int] = {}
    buckets: dict[int, dict[int, int]] = {PUT_WING: {}, BODY: {}, CALL_WING: {}}
    for (tenor, bucket), vega in vegas.items():
        totals[tenor] = totals.get(tenor, 0) + vega
        buckets[bucket][tenor] = vega
    square = bucket_ppm * _form(totals, rows)
    square += (PPM - bucket_ppm) * sum(_form(b, rows) for b in buckets.values())
    return root_up(-(-square // (PPM * CORRELATION_UNIT)))


def _curvature(losses: Mapping[int, int], rows: Rows, methodology: Methodology) -> int:
    """max(0, sum + share * root of the form): `losses` carry the weight of the sum already."""
    greeks = methodology.greeks
    square = greeks.curvature_root_ppm**2 * _form(losses, rows)
    root = root_up(-(-square // (greeks.curvature_linear_ppm**2 * CORRELATION_UNIT)))
    return max(0, sum(losses.values()) + root)


def _form(values: Mapping[int, int], rows: Rows) -> int:
    """Quadratic form of a vector by index with a symmetric matrix."""
    items = [(i, value) for i, value in values.items() if value]
    total = 0
    for index, (i, x) in enumerate(items):
        row = rows[i]
        inner = row[i] * x
        for j, y in items[:index]:
            inner += 2 * row[j] * y
        total += inner * x
    return total
