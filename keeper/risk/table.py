"""Everything margins need from one market: built once, then each account costs a few integer sums."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keeper.markets.instrument import Instrument, Kind
from keeper.pricing.kernels import Floats
from keeper.pricing.market import Market
from keeper.risk import scan, tenors
from keeper.risk.addons import LINEAR, AddonRates, Bucket, unit_rates
from keeper.risk.expected_shortfall import history_profits
from keeper.risk.greeks import unit_greeks
from keeper.risk.methodology import Methodology

# of the per-unit numbers of a `Unit`: delta, vega, curvature, theta
Rates = tuple[float, float, float, float]


class Unit(NamedTuple):
    """One instrument, quanta per unit long.

    Attributes:
        group: key of its offset group; row: its row there.
        tenor: index of its expiry in the table's tenors.
        bucket: moneyness bucket of its vega.
        rates: delta, vega, curvature and theta as `keeper.risk.greeks` defines them.
        line: its row in the table's history.
        addons: charges that grow in proportion.
        liquidity: the bucket of its half-spread.
    """

    underlying: int
    group: int
    row: int
    tenor: int
    bucket: int
    rates: Rates
    line: int
    addons: AddonRates
    liquidity: Bucket


@dataclass(frozen=True)
class Group:
    """Scenarios of one offset group; `profit` in quanta per unit long, shape (instruments, scenarios)."""

    scenarios: tuple[scan.Scenario, ...]
    profit: Floats


@dataclass(frozen=True)
class RiskTable:
    """A market re-priced in every scenario.

    Attributes:
        marks: price per unit, 1e-8 USD, by packed instrument.
        units: what margins need of each instrument; always holds the perp of every underlying, which stands
            for spot.
        history: profit and loss of one unit long in every scenario of the expected shortfall, quanta, shape
            (instruments, scenarios); rows in the order of `units`.
    """

    market: Market
    methodology: Methodology
    groups: Mapping[int, Group]
    tenors: tenors.Tenors
    marks: Mapping[int, int]
    units: Mapping[int, Unit]
    history: Floats

    def unit(self, instrument: int) -> Unit:
        """One instrument. Raises LookupError when the table does not hold it."""
        found = self.units.get(instrument)
        if found is None:
            raise LookupError(f"margin: instrument {instrument} is not in the table")
        return found


def spot_of(underlying: int) -> int:
    """The instrument that stands for one coin: a perp, linear and without an expiry."""
    return Instrument(underlying, 0, 0, Kind.PERP).pack()


def build_table(market: Market, methodology: Methodology, instruments: Iterable[int]) -> RiskTable:
    """Re-price every instrument in every scenario.

    Args:
        instruments: packed ids: the whole universe and every leg of every account, in any order.

    Raises:
        LookupError: an underlying or expiry is not in the market.
    """
    packed = set(instruments) | {spot_of(u.underlying) for u in market.underlyings}
    unpacked = {p: Instrument.unpack(p) for p in sorted(packed)}
    expiries = tenors.build(
        market.timestamp, {i.expiry for i in unpacked.values()}, methodology.greeks, methodology.roll
    )
    members: dict[int, list[int]] = defaultdict(list)
    for one, instrument in unpacked.items():
        members[methodology.offset_group(instrument.underlying)].append(one)
    order = [one for key in sorted(members) for one in members[key]]
    terms = scan.contracts(market, [unpacked[one] for one in order])
    history = history_profits(terms, market, methodology) / _quantum(methodology)
    table = RiskTable(market, methodology, {}, expiries, {}, {}, history)
    for key in sorted(members):
        table = _with_group(table, key, {p: unpacked[p] for p in members[key]})
    return table


def _quantum(methodology: Methodology) -> float:
    """USD."""
    return methodology.quantum_e8 / scan.PRICE_SCALE


def _with_group(table: RiskTable, key: int, members: Mapping[int, Instrument]) -> RiskTable:
    """The table with one more offset group."""
    methodology, quantum = table.methodology, _quantum(table.methodology)
    terms = scan.contracts(table.market, list(members.values()))
    scenario_set = scan.scenarios(terms, methodology)
    profit = scan.profit_and_loss(terms, scenario_set, methodology) / quantum
    prices = np.rint(scan.values(terms) * scan.PRICE_SCALE).astype(np.int64)
    greeks = unit_greeks(terms, methodology.greeks)
    rates = np.stack([greeks.delta, greeks.vega, greeks.curvature, greeks.theta]) / quantum
    perp = np.array([i.kind == Kind.PERP for i in members.values()])
    addons = unit_rates(terms, perp, greeks, table.market, methodology) / quantum
    index = {expiry: i for i, expiry in enumerate(table.tenors.expiries)}
    marks, units = dict(table.marks), dict(table.units)
    for row, (packed, instrument) in enumerate(members.items()):
        delta, vega, curvature, theta = (float(x) for x in rates[:, row])
        marks[packed] = _exact_mark(table.market, instrument, int(prices[row]))
        units[packed] = Unit(
            underlying=instrument.underlying,
            group=key,
            row=row,
            tenor=index[instrument.expiry],
            bucket=int(greeks.bucket[row]),
            rates=(delta, vega, curvature, theta),
            line=len(units),
            addons=AddonRates(*(float(x) for x in addons[:, row])),
            liquidity=(
                instrument.underlying,
                index[instrument.expiry],
                int(greeks.bucket[row]) if instrument.strike else LINEAR,
            ),
        )
    groups = {**table.groups, key: Group(scenario_set, profit)}
    return RiskTable(table.market, methodology, groups, table.tenors, marks, units, table.history)


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
