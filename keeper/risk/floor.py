"""The least maintenance margin that a chain can compute from positions and forwards alone.

With the payoff profile g of each expiry (linear legs included), whatever the vols become, legs whose prices
admit no arbitrage are worth at most the concave envelope of g at the moved forward. A move of every spot by
the end of the scan's grid therefore loses at least mark - envelope, which the scan counts in full; offsets
between underlyings are the scan's own. No exponential, logarithm or root is needed.
"""

from collections import defaultdict
from collections.abc import Sequence

from keeper.markets.instrument import Instrument, Leg, leg_of, word
from keeper.pricing.market import Market
from keeper.risk.margin import mark_of
from keeper.risk.parameters import PPM
from keeper.risk.payoff import expiry_bounds
from keeper.risk.table import RiskTable
from keeper.units.constants import SETTLEMENT_WINDOW


def maintenance_floor(legs: Sequence[Leg], table: RiskTable) -> int:
    """.80 * (mark - concave envelope at F * (1 +- R)), the worse of both ends per offset group, WAD, rounded
    down, not negative.

    Args:
        legs: distinct instruments of the table, quantities WAD.
    """
    methodology = table.methodology
    members: dict[int, list[Leg]] = defaultdict(list)
    for leg in legs:
        members[table.unit(leg.instrument).underlying].append(leg)
    nets: dict[tuple[int, int], int] = defaultdict(int)
    alone: dict[int, int] = defaultdict(int)
    for underlying in members:
        alone[methodology.offset_group(underlying)] += 1
    for underlying, held in members.items():
        group = methodology.offset_group(underlying)
        for end in (-1, 1):
            profit = _most_profit(held, underlying, end, table)
            # of a single underlying gains count in full, and lower nothing
            kept = profit if profit < 0 or alone[group] == 1 else profit * methodology.scan.offset_ppm // PPM
            nets[group, end] += kept
    groups = {group for group, _ in nets}
    loss = sum(max(0, *(-nets[group, end] for end in (-1, 1))) for group in groups)
    return loss * methodology.maintenance.of_core_ppm // PPM


def _most_profit(legs: Sequence[Leg], underlying: int, end: int, table: RiskTable) -> int:
    """Largest profit at one end of the grid, WAD, rounded up."""
    words = sorted(word(leg.instrument, leg.quantity) for leg in legs)
    move = PPM + end * table.methodology.spot(underlying).range_ppm
    value, index = 0, 0
    while index < len(words):
        expiry = Instrument.unpack(leg_of(words[index]).instrument).expiry
        low, high = _moved(table.market, underlying, expiry, move)
        bounds = expiry_bounds(words, index, low, high)
        value, index = value + bounds.high, bounds.next_index
    return value - mark_of(legs, table)


def _moved(market: Market, underlying: int, expiry: int, move_ppm: int) -> tuple[int, int]:
    """Settlement forward after a move of spot, rounded down and up: what is averaged already stays."""
    listed = market.underlying(underlying)
    if expiry == 0:
        return _both(listed.effective * move_ppm, PPM)
    found = listed.expiry(expiry)
    fixed = found.fixed_average * found.covered * PPM
    open_part = found.forward * (SETTLEMENT_WINDOW - found.covered) * move_ppm
    return _both(fixed + open_part, SETTLEMENT_WINDOW * PPM)


def _both(numerator: int, denominator: int) -> tuple[int, int]:
    return numerator // denominator, -(-numerator // denominator)
