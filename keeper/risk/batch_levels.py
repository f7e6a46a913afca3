"""Marks, margins and bounds of many accounts in WAD: `keeper.risk.levels` on 128-bit numbers.

Accounts near or above a concentration threshold, and those too large for 128 bits, are left to the exact
integers: see `undecided`.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keeper.risk.batch_blocks import in_blocks
from keeper.risk.batch_table import BatchTable
from keeper.risk.compiled import Array, compiled
from keeper.risk.compiled_marks import LIMB_BITS
from keeper.risk.concentration import Position, reach, threshold, weight_ppm
from keeper.risk.levels import MOST_MARGINAL, Levels, bound_of, depeg
from keeper.risk.liquidity import steepest_ppm
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.sizes import size_charge
from keeper.risk.wide import Number, Wide, is_less, least, minus, over, over_up, plus, times, wide_of, zeros
from keeper.units.constants import PRICE_UNIT, WAD

if TYPE_CHECKING:
    from keeper.risk.batch_margins import BatchMargins

_PPM, _WAD, _ZERO = np.uint64(PPM), np.uint64(WAD), np.uint64(0)
_LIMB = np.uint64(1 << LIMB_BITS)
# a mark's last digit is 1e-16 USD
_TO_WAD = np.uint64(100)
_MOST = np.uint64(MOST_MARGINAL)
# bits of a margin, so that its product with a share still fits; of limits and weights, so that theirs does
_MARGIN_BITS, _LIMIT_BITS, _RATE_BITS = 106, 62, 64


Unsigned = np.uint64
_Charges = tuple[Array, Array, Array, Array]


class Rates(NamedTuple):
    """Parameters. Of a core margin in quanta: what its margins are multiplied by.

    Attributes:
        quantum: WAD per quantum; per_hundred: the depeg's factor (ppm) times the quantum: with a multiplier
            in ppm and a denominator of 100 this is WAD again.
        of_core, of_liquidity, of_initial: shares in the maintenance margin, ppm.
        starts, shares: tiers of the size add-on, WAD and ppm; reach: its share of the core margin, ppm.
        limits: concentration thresholds by underlying, quanta; weights: WAD per quantum of delta, times PPM.
        delta_reach: share of a threshold that an addition may use, ppm.
        least_tier: ppm; steepest: least marginal multiplier, WAD; added: most that may be added, WAD.
    """

    quantum: Unsigned
    per_hundred: Unsigned
    of_core: Unsigned
    of_liquidity: Unsigned
    of_initial: Unsigned
    starts: Wide
    shares: Array
    reach: Unsigned
    limits: Array
    weights: Array
    delta_reach: int
    least_tier: Unsigned
    steepest: Unsigned
    added: Wide


class LevelResult(NamedTuple):
    """WAD by account; of `undecided` ones nothing counts."""

    size: Wide
    initial: Wide
    maintenance: Wide
    marginal: Array
    max_added: Wide
    undecided: Array


def marks_of(found: "BatchMargins", threads: int | None = None) -> Wide:
    """Marks, WAD, without the accounts that need exact integers."""
    result = zeros(len(found))
    in_blocks(lambda span: _marks(found.valued.parts, span, result), len(found), threads)
    return result


def levels_of_all(found: "BatchMargins", threads: int | None = None) -> LevelResult:
    """Margins and bounds of all accounts."""
    size = len(found)
    wide = [zeros(size) for _ in range(4)]
    result = LevelResult(
        wide[0], wide[1], wide[2], np.zeros(size, np.uint64), wide[3], np.zeros(size, np.bool_)
    )
    rates, most = rates_of(found.table)
    charges = (found.core, found.addons.liquidity, found.multipliers, found.greeks.net)
    in_blocks(lambda span: _levels(charges, rates, most, span, result), size, threads)
    for account in np.flatnonzero(result.undecided).tolist():
        _put_exact(found, account, result)
    return result


def rates_of(table: BatchTable) -> tuple[Rates, int]:
    """Parameters, and the largest core margin, quanta, whose margins fit."""
    methodology = table.source.methodology
    factor = PPM + depeg(table.source.market.settlement_price, methodology)
    most = _most_core(methodology, factor, max(methodology.tiers_ppm))
    return _rates(methodology, factor, list(table.underlyings)), most


def _rates(methodology: Methodology, factor: int, underlyings: list[int]) -> Rates:
    quantum, m = methodology.quantum_e8, methodology
    limits = [threshold(m, u) for u in underlyings]
    weights = [weight_ppm(m, u) * quantum * PRICE_UNIT for u in underlyings]
    # a limit of zero keeps the kernel from any account whose bounds would not fit
    fitting = [
        limit if limit < 2**_LIMIT_BITS and weight < 2**_RATE_BITS else -1
        for limit, weight in zip(limits, weights, strict=True)
    ]
    return Rates(
        quantum=np.uint64(quantum * PRICE_UNIT),
        per_hundred=np.uint64(factor * quantum),
        of_core=np.uint64(m.maintenance.of_core_ppm),
        of_liquidity=np.uint64(m.liquidity.of_maintenance_ppm),
        of_initial=np.uint64(m.maintenance.of_initial_ppm),
        starts=wide_of([start * WAD for start, _ in m.sizes.tiers]),
        shares=np.array([share for _, share in m.sizes.tiers], dtype=np.uint64),
        reach=np.uint64(m.sizes.reach_ppm),
        limits=np.array(fitting, dtype=np.int64),
        weights=np.array([w % 2**_RATE_BITS for w in weights], dtype=np.uint64),
        delta_reach=m.greeks.reach_ppm,
        least_tier=np.uint64(min(*m.tiers_ppm, PPM)),
        steepest=np.uint64(steepest_ppm(m) * (WAD // PPM)),
        added=wide_of([m.max_added_im]),
    )


def _most_core(methodology: Methodology, factor: int, multiplier: int) -> int:
    """The largest core margin, quanta, whose margins fit: the initial one is at most a size add-on of all of
    it above the rest.
    """
    share = methodology.quantum_e8 * PRICE_UNIT * (-(-factor * multiplier // PPM**2) + 1)
    return int(min(2**_MARGIN_BITS // (2 * share), 2**62))


def _put_exact(found: "BatchMargins", account: int, out: LevelResult) -> None:
    """The numbers of one account by integers of any length."""
    table = found.table.source
    rise = depeg(table.market.settlement_price, table.methodology)
    methodology, quantum = table.methodology, table.methodology.quantum_e8 * PRICE_UNIT
    core, multiplier = int(found.core[account]) * quantum, int(found.multipliers[account])
    levels = Levels(methodology, multiplier, rise, int(found.addons.liquidity[account]) * quantum)
    out.size.put(account, size_charge(core, methodology))
    out.initial.put(account, levels.initial(core))
    out.maintenance.put(account, levels.maintenance(core))
    pairs = zip(found.greeks.net[account].tolist(), found.greeks.charged[account].tolist(), strict=True)
    positions = {u: Position(*pair) for u, pair in zip(found.table.underlyings, pairs, strict=True)}
    growth = reach([positions], [u.underlying for u in table.market.underlyings], methodology)
    bound = bound_of(growth, [core], multiplier, methodology)
    out.marginal[account] = bound.marginal
    out.max_added.put(account, bound.max_added)


@compiled
def _marks(parts: Array, span: tuple[int, int], out: Wide) -> None:
    """Marks of the accounts `span` from the three parts of each."""
    for account in range(span[0], span[1]):
        total = _signed(parts[account, 0])
        total = plus(times(total, _LIMB), _signed(parts[account, 1]))
        total = plus(times(total, _LIMB), _signed(parts[account, 2]))
        out.high[account], out.low[account] = times(total, _TO_WAD)


@compiled
def _signed(value: int) -> Number:
    """64 bits with sign."""
    return (~_ZERO if value < 0 else _ZERO), np.uint64(value)


@compiled
def _levels(charges: _Charges, rates: Rates, most: int, span: tuple[int, int], out: LevelResult) -> None:
    """Margins and bounds of the accounts `span`.

    Args:
        charges: core margin and liquidity, quanta; multiplier, ppm; |net delta| by underlying, quanta.
        most: largest core margin that fits.
    """
    cores, liquidity, multipliers, nets = charges
    for account in range(span[0], span[1]):
        added, is_calm = _room_of_delta(nets[account], rates)
        if not is_calm or cores[account] > most or liquidity[account] > most:
            out.undecided[account] = True
            continue
        core = times((_ZERO, np.uint64(cores[account])), rates.quantum)
        size = _size(core, rates)
        initial = margin(cores[account], liquidity[account], multipliers[account], rates, 0)
        maintenance = margin(cores[account], liquidity[account], multipliers[account], rates, 1)
        out.size.high[account], out.size.low[account] = size
        out.initial.high[account], out.initial.low[account] = initial
        out.maintenance.high[account], out.maintenance.low[account] = maintenance
        bound, marginal = _bound(core, added, np.uint64(max(multipliers[account], PPM)), rates)
        out.marginal[account] = marginal
        out.max_added.high[account], out.max_added.low[account] = bound


@compiled
def margin(quanta: int, liquidity: int, multiplier: int, rates: Rates, level: int) -> Number:
    """Margin of a core margin and a liquidity in quanta: the initial one (0) or the maintenance one (1)."""
    core = times((_ZERO, np.uint64(quanta)), rates.quantum)
    spread = times((_ZERO, np.uint64(liquidity)), rates.quantum)
    size = _size(core, rates)
    factor = rates.per_hundred * np.uint64(multiplier)
    scaled = over_up(times((_ZERO, np.uint64(quanta)), factor), np.uint64(100))
    initial = plus(plus(scaled, spread), size)
    if level == 0:
        return initial
    sized = over_up(times(plus(core, size), rates.of_core), _PPM)
    total = plus(sized, over_up(times(spread, rates.of_liquidity), _PPM))
    of_initial = over_up(times(initial, rates.of_initial), _PPM)
    return of_initial if is_less(total, of_initial) else total


@compiled
def _size(core: Number, rates: Rates) -> Number:
    """As `size_charge`."""
    total, before = (_ZERO, _ZERO), _ZERO
    for tier in range(len(rates.shares)):
        start = rates.starts.high[tier], rates.starts.low[tier]
        if is_less(start, core):
            total = plus(total, times(minus(core, start), rates.shares[tier] - before))
        before = rates.shares[tier]
    return over_up(total, _PPM)


@compiled
def _room_of_delta(nets: Array, rates: Rates) -> tuple[Number, bool]:
    """Most that may be added while no position becomes concentrated, and whether none is near to it."""
    added = rates.added.high[0], rates.added.low[0]
    for u in range(len(nets)):
        limit, room = rates.limits[u], rates.limits[u] - nets[u]
        if room < 0 or room < limit // PPM * rates.delta_reach + limit % PPM * rates.delta_reach // PPM:
            return added, False
        added = least(added, over(times((_ZERO, np.uint64(room)), rates.weights[u]), _PPM))
    return added, True


@compiled
def _bound(core: Number, added: Number, multiplier: Unsigned, rates: Rates) -> tuple[Number, Unsigned]:
    """As `bound_of` where the growth of the core margin is one."""
    added = over(times(added, rates.least_tier), _PPM)
    room = _size_room(core, rates)
    added = least(added, over(times(room, rates.least_tier), _PPM))
    slope, after = _ZERO, plus(core, room)
    for tier in range(len(rates.shares)):
        if is_less((rates.starts.high[tier], rates.starts.low[tier]), after):
            slope = max(slope, rates.shares[tier])
    marginal = over_up(times((_ZERO, _WAD), multiplier + slope), rates.least_tier)
    marginal = marginal if is_less((_ZERO, rates.steepest), marginal) else (_ZERO, rates.steepest)
    if marginal[0] > _ZERO:
        return (_ZERO, _ZERO), _MOST
    return added, marginal[1]


@compiled
def _size_room(core: Number, rates: Rates) -> Number:
    """As `size_room`."""
    for tier in range(len(rates.shares)):
        start = rates.starts.high[tier], rates.starts.low[tier]
        if is_less(core, start):
            first = rates.starts.high[0], rates.starts.low[0]
            base = first if is_less(core, first) else core
            reach = over(times(base, rates.reach), _PPM)
            room = minus(start, core)
            return reach if is_less(room, reach) else room
    return rates.added.high[0], rates.added.low[0]
