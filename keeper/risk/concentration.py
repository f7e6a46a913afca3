"""Concentration: what a position too large for its market adds, and how far a margin bounds larger books.

The delta charge D of an underlying is multiplied by CR = max(1, sqrt(|net delta| / threshold)). The part
above one, E = (CR - 1) * D, is charged by itself and offset by nothing: multiplied in before the
correlations, it could make half a hedged book need more than half its margin.

E alone grows faster than the book. For additions whose own delta charges sum to b in an underlying, net delta
moves by at most b / (weight * sqrt(base)), as D**2 >= weight**2 * base * net**2 with `base` the least
correlation of expiries; and then, with n the net delta, t the threshold, n' = max(n, t),

    E(A + B) - E(A) <= b * (CR(n + reach) - 1 + D / (weight * sqrt(base) * sqrt(t) * (sqrt(n') + sqrt(t))))

as long as net delta moves by at most `reach`. The same bound holds for removals of any size, where E falls.
Additions of a whole book at once (a share bought in an auction) may hedge across underlyings, so that its
charge is less than its b's: `spread` of the methodology bounds that ratio.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isqrt

from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.units.constants import WAD

# square roots of ratios carry nine decimals
_UNIT = 10**9
_PRICE_TO_WAD = 10**10
_PERCENT = 100
_USD_E8 = 10**8


@dataclass(frozen=True)
class Reach:
    """How a margin bounds that of a larger book: at most itself plus `marginal` times what is added.

    Attributes:
        marginal: WAD, at least 1.
        max_added: stand-alone initial margin, WAD, up to which that holds.
    """

    marginal: int
    max_added: int


@dataclass(frozen=True)
class Position:
    """Delta of one underlying, quanta: |net|, and the delta charge before the weight."""

    net: int
    charged: int


def root_up(square: int) -> int:
    """Square root, rounded up."""
    return isqrt(square - 1) + 1 if square > 0 else 0


def threshold(methodology: Methodology, underlying: int) -> int:
    """Net dollar delta above which a position is concentrated, quanta."""
    return methodology.spot(underlying).threshold_usd * _PERCENT * _USD_E8 // methodology.quantum_e8


def excess(net: int, charge: int, limit: int) -> int:
    """E: the delta charge times CR - 1, quanta, rounded up."""
    if net <= limit:
        return 0
    return -(-charge * (_ratio(net, limit) - _UNIT) // _UNIT)


def reach(
    positions: Sequence[Mapping[int, Position]], underlyings: Sequence[int], methodology: Methodology
) -> Reach:
    """How far the margin of a book bounds larger ones.

    Args:
        positions: of the book, by underlying; several where its margin was taken in several states (with
            more or less collateral pledged): the result holds for all of them.
        underlyings: all that may be traded.
    """
    marginal, added = WAD, methodology.max_added_im
    for state, underlying in product(positions, underlyings):
        held = state.get(underlying, Position(0, 0))
        growth, room = _growth(held, threshold(methodology, underlying), methodology)
        spread = methodology.spread_ppm if underlying in methodology.correlated else PPM
        marginal = max(marginal, WAD - (-growth * spread * WAD // (_UNIT * PPM)))
        weight = weight_ppm(methodology, underlying)
        added = min(added, room * weight * methodology.quantum_e8 * _PRICE_TO_WAD // PPM)
    return Reach(marginal, added)


def weight_ppm(methodology: Methodology, underlying: int) -> int:
    """Least delta charge of a net delta, whatever the expiries are, rounded down."""
    return methodology.spot(underlying).weight_ppm * _root_base(methodology) // _UNIT


def _growth(held: Position, limit: int, methodology: Methodology) -> tuple[int, int]:
    """The bracket of the bound above, 1e-9, and the reach it is taken at, quanta."""
    least = max(held.net, limit)
    room = max(limit - held.net, least * methodology.greeks.reach_ppm // PPM)
    if held.net + room <= limit:
        return 0, room
    wider = _ratio(held.net + room, limit) - _UNIT
    slope = limit * _root_base(methodology) * (_UNIT + isqrt(_UNIT**2 * least // limit))
    return wider - (-held.charged * _UNIT**3 // slope), room


def _ratio(net: int, limit: int) -> int:
    """sqrt(net / limit), 1e-9, rounded up."""
    return root_up(-(-(_UNIT**2) * net // limit))


def _root_base(methodology: Methodology) -> int:
    """sqrt of the least correlation of expiries, 1e-9, rounded down."""
    return isqrt(methodology.greeks.expiry_base_ppm * _UNIT**2 // PPM)
