"""Initial and maintenance margin of accounts and of single instruments.

Core = scan + basis and roll; IM = multiplier * Core; MM = max(.80 * Core, .75 * IM). Both are uncapped: a
defined-risk book
is capped at its worst loss on-chain, last, because a capped margin is not subadditive. Core is subadditive
and homogeneous
up to the rounding of one quantum per leg and scenario.

Profit and loss is rounded to whole quanta per leg and summed as integers, so no order of summation matters.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.markets.instrument import Instrument, Kind, Leg, leg_of, word
from keeper.pricing.kernels import Floats
from keeper.pricing.market import Market
from keeper.risk import scan
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.payoff import expiry_bounds
from keeper.units.constants import PRICE_UNIT, SECONDS_PER_YEAR, WAD

# 128 legs of this size still sum inside 63 bits
_SATURATION = 2.0**55


@dataclass(frozen=True)
class Margin:
    """Margin of one book, WAD. `initial` and `maintenance` are uncapped and rounded up.

    Attributes:
        mark: mark-to-market of all legs, signed.
        core: margin before the credit tier.
        breakdown: charges, binding scenarios and profit and loss per leg in them; JSON-ready, integers as
            text.
    """

    mark: int
    core: int
    initial: int
    maintenance: int
    breakdown: Mapping[str, Any]


@dataclass(frozen=True)
class UnitMargins:
    """Mark and stand-alone margins of one unit, WAD."""

    instrument: int
    mark: int
    im_long: int
    mm_long: int
    im_short: int
    mm_short: int


@dataclass(frozen=True)
class _Group:
    """Instruments and scenarios of one offset group; `profit` in quanta per unit, shape (instruments,
    scenarios).
    """

    scenarios: tuple[scan.Scenario, ...]
    profit: Floats
    rows: Mapping[int, int]


@dataclass(frozen=True)
class RiskTable:
    """Everything margins need from one market: built once, then each account costs a few integer sums.

    Attributes:
        marks: price per unit, 1e-8 USD.
        deltas: dollar delta per unit, quanta.
    """

    market: Market
    methodology: Methodology
    groups: Mapping[int, _Group]
    marks: Mapping[int, int]
    deltas: Mapping[int, float]


def build_table(market: Market, methodology: Methodology, instruments: Iterable[int]) -> RiskTable:
    """Re-price every instrument in every scenario.

    Args:
        instruments: packed ids: the whole universe and every leg of every account, in any order.

    Raises:
        LookupError: an underlying or expiry is not in the market.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for packed in sorted(set(instruments)):
        members[methodology.offset_group(Instrument.unpack(packed).underlying)].append(packed)
    groups: dict[int, _Group] = {}
    marks: dict[int, int] = {}
    deltas: dict[int, float] = {}
    quantum = methodology.quantum_e8 / scan.PRICE_SCALE
    for key in sorted(members):
        packed_ids = members[key]
        unpacked = [Instrument.unpack(p) for p in packed_ids]
        terms = scan.contracts(market, unpacked)
        scenario_set = scan.scenarios(terms, methodology)
        profit = scan.profit_and_loss(terms, scenario_set, methodology) / quantum
        groups[key] = _Group(scenario_set, profit, {p: row for row, p in enumerate(packed_ids)})
        prices = np.rint(scan.values(terms) * scan.PRICE_SCALE).astype(np.int64)
        dollars = scan.dollar_deltas(terms) / quantum
        for row, instrument in enumerate(unpacked):
            marks[packed_ids[row]] = _exact_mark(market, instrument, int(prices[row]))
            deltas[packed_ids[row]] = float(dollars[row])
    return RiskTable(market, methodology, groups, marks, deltas)


def _exact_mark(market: Market, instrument: Instrument, price: int) -> int:
    """Linear marks straight from the integers; option prices held inside their bounds at the settlement
    forward.
    """
    listed = market.underlying(instrument.underlying)
    if instrument.kind == Kind.PERP:
        return listed.effective
    forward = listed.expiry(instrument.expiry).settlement_forward
    if instrument.kind == Kind.FUTURE:
        return forward
    gain = forward - instrument.strike if instrument.kind == Kind.CALL else instrument.strike - forward
    cap = forward if instrument.kind == Kind.CALL else instrument.strike
    return min(max(price, gain, 0), cap)


def account_margin(legs: Sequence[Leg], table: RiskTable, tier: int = 0) -> Margin:
    """Mark and margins of one book.

    Args:
        legs: distinct instruments of the table, quantities WAD (multiples of 1e10).
        tier: credit tier of the account.

    Raises:
        LookupError: an instrument is not in the table.
        OverflowError: a leg's profit and loss does not fit; the account cannot be margined.
    """
    for leg in legs:
        if leg.instrument not in table.marks:
            raise LookupError(f"margin: instrument {leg.instrument} is not in the table")
    scan_total, scan_detail = _scan_charge(legs, table)
    roll_total, roll_detail = _roll_charge(legs, table)
    core = (scan_total + roll_total) * table.methodology.quantum_e8 * PRICE_UNIT
    multiplier = table.methodology.multiplier_ppm(tier)
    initial, maintenance = _margins(core, multiplier, table.methodology)
    mark = _mark(legs, table)
    breakdown = {
        "core": str(core),
        "multiplier_ppm": multiplier,
        "quantum_e8": table.methodology.quantum_e8,
        "roll": roll_detail,
        "scan": scan_detail,
    }
    return Margin(mark, core, initial, maintenance, breakdown)


def _mark(legs: Sequence[Leg], table: RiskTable) -> int:
    """Sum of quantity * mark, each expiry held inside its no-arbitrage bracket at the settlement forward,
    WAD.

    Only the rounding of single marks to 1e-8 ever leaves the bracket (a far butterfly at -1e-8 instead of
    0), but the
    chain would refuse such a leaf.
    """
    book = sorted(word(leg.instrument, leg.quantity) for leg in legs)
    total, index = 0, 0
    while index < len(book):
        head = Instrument.unpack(leg_of(book[index]).instrument)
        listed = table.market.underlying(head.underlying)
        forward = listed.expiry(head.expiry).settlement_forward if head.expiry else listed.effective
        bounds = expiry_bounds(book, index, forward, forward)
        group = [leg_of(w) for w in book[index : bounds.next_index]]
        value = sum(leg.quantity * table.marks[leg.instrument] * PRICE_UNIT for leg in group) // WAD
        total += min(max(value, bounds.low), bounds.high)
        index = bounds.next_index
    return total


def unit_margins(table: RiskTable, instruments: Iterable[int]) -> tuple[UnitMargins, ...]:
    """Stand-alone margins of one unit of each instrument, long and short, in the anonymous tier;
    ascending.
    """
    result = []
    for packed in sorted(set(instruments)):
        both = [account_core(packed, sign * WAD, table) for sign in (1, -1)]
        (im_long, mm_long), (im_short, mm_short) = (_margins(c, PPM, table.methodology) for c in both)
        mark = table.marks[packed] * PRICE_UNIT
        result.append(UnitMargins(packed, mark, im_long, mm_long, im_short, mm_short))
    return tuple(result)


def account_core(instrument: int, quantity: int, table: RiskTable) -> int:
    """Core margin of a single leg, WAD."""
    leg = Leg(instrument, quantity)
    group = table.groups[table.methodology.offset_group(Instrument.unpack(instrument).underlying)]
    worst = max(0, -int(np.min(_leg_profit(leg, group))))
    return (worst + _roll_charge([leg], table)[0]) * table.methodology.quantum_e8 * PRICE_UNIT


def marginal(tier: int, methodology: Methodology) -> int:
    """Multiplier m of added stand-alone margin, WAD: the core is subadditive, so only a tier above 1
    matters.
    """
    return max(methodology.multiplier_ppm(tier), PPM) * (WAD // PPM)


def _margins(core: int, multiplier_ppm: int, methodology: Methodology) -> tuple[int, int]:
    """IM and MM, WAD, rounded up."""
    initial = -(-core * multiplier_ppm // PPM)
    of_core = -(-core * methodology.maintenance.of_core_ppm // PPM)
    of_initial = -(-initial * methodology.maintenance.of_initial_ppm // PPM)
    return initial, max(of_core, of_initial)


def _leg_profit(leg: Leg, group: _Group) -> scan.Integers:
    """Profit and loss of one leg in every scenario, whole quanta."""
    exact = (leg.quantity / WAD) * group.profit[group.rows[leg.instrument]]
    return _whole(exact)


def _whole(exact: Floats) -> scan.Integers:
    if not np.all(np.abs(exact) < _SATURATION):
        raise OverflowError("margin: profit and loss saturates")
    return np.rint(exact).astype(np.int64)


def _scan_charge(legs: Sequence[Leg], table: RiskTable) -> tuple[int, list[dict[str, Any]]]:
    """Sum over offset groups of the worst scenario, quanta, and how it came about."""
    by_group: dict[int, list[Leg]] = defaultdict(list)
    for leg in legs:
        underlying = Instrument.unpack(leg.instrument).underlying
        by_group[table.methodology.offset_group(underlying)].append(leg)
    total, detail = 0, []
    for key in sorted(by_group):
        loss, text = _group_charge(by_group[key], table.groups[key], table.methodology)
        total += loss
        detail.append(text)
    return total, detail


def _group_charge(legs: Sequence[Leg], group: _Group, methodology: Methodology) -> tuple[int, dict[str, Any]]:
    """Worst scenario of one group: losses in full, gains of the other underlyings in part."""
    by_underlying: dict[int, scan.Integers] = {}
    profits = []
    for leg in legs:
        profit = _leg_profit(leg, group)
        underlying = Instrument.unpack(leg.instrument).underlying
        by_underlying[underlying] = by_underlying.get(underlying, 0) + profit
        profits.append(profit)
    net = np.zeros(len(group.scenarios), dtype=np.int64)
    for profit in by_underlying.values():
        net += np.where(profit > 0, _part(profit, methodology.scan.offset_ppm), profit)
    index = int(np.argmin(net))
    loss = max(0, -int(net[index]))
    detail = {
        "loss": str(loss),
        "scenario": group.scenarios[index].name,
        "underlyings": {str(u): str(int(p[index])) for u, p in sorted(by_underlying.items())},
        "legs": {str(leg.instrument): str(int(p[index])) for leg, p in zip(legs, profits, strict=True)},
    }
    return loss, detail


def _part(profit: scan.Integers, share_ppm: int) -> scan.Integers:
    """profit * share, rounded down, without overflow; profit >= 0 where it is used."""
    return profit // PPM * share_ppm + profit % PPM * share_ppm // PPM


def _roll_charge(legs: Sequence[Leg], table: RiskTable) -> tuple[int, dict[str, str]]:
    """Sum over underlyings and expiries of |dollar delta| * max(flat, per year * years), quanta, rounded
    up.
    """
    deltas: dict[tuple[int, int], int] = defaultdict(int)
    for leg in legs:
        instrument = Instrument.unpack(leg.instrument)
        exact = np.array([(leg.quantity / WAD) * table.deltas[leg.instrument]])
        deltas[(instrument.underlying, instrument.expiry)] += int(_whole(exact)[0])
    roll = table.methodology.roll
    charges = {}
    for (underlying, expiry), delta in sorted(deltas.items()):
        seconds = max(expiry - table.market.timestamp, 0)
        rate_ppm = max(roll.flat_ppm, -(-roll.per_year_ppm * seconds // SECONDS_PER_YEAR))
        charges[f"{underlying}:{expiry}"] = -(-abs(delta) * rate_ppm // PPM)
    return sum(charges.values()), {key: str(charge) for key, charge in charges.items()}
