"""Results of many accounts' margins: arrays by charge, exact numbers and explanations of single accounts."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.markets.instrument import Leg
from keeper.risk.batch_table import BatchTable
from keeper.risk.book import book_of
from keeper.risk.books import Books
from keeper.risk.compiled_addons import AddonResult
from keeper.risk.compiled_greeks import GreeksResult
from keeper.risk.compiled_marks import LIMB_BITS, MarkResult
from keeper.risk.compiled_scan import ScanResult
from keeper.risk.core import core_of
from keeper.risk.levels import depeg
from keeper.risk.liquidity import liquidity_charge
from keeper.risk.margin import Margin, account_margin, mark_of
from keeper.risk.parameters import PPM
from keeper.risk.scan import Integers
from keeper.risk.scan_charge import net_profit
from keeper.risk.sizes import size_charge
from keeper.units.constants import PRICE_UNIT, WAD

Exact = npt.NDArray[np.object_]


class Shortfalls(NamedTuple):
    """Quanta: expected shortfall of filtered and of stressed days, shape (accounts, 2); value at risk."""

    parts: Integers
    value_at_risk: Integers


@dataclass(frozen=True)
class BatchMargins:
    """Margins of many accounts. Charges are whole quanta in 64 bits; marks and margins are Python integers,
    WAD, as 64 bits do not hold them.

    Attributes:
        multipliers: of the core margin, ppm.
        scan, greeks, shortfalls: charges with what binds, by account.
        recomputed: accounts that were computed one by one with integers of any length.
    """

    table: BatchTable
    books: Books
    multipliers: Integers
    scan: ScanResult
    greeks: GreeksResult
    shortfalls: Shortfalls
    addons: AddonResult
    marks: MarkResult
    recomputed: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.books)

    @cached_property
    def shortfall(self) -> Integers:
        """E: the larger of the filtered part and a share of the stressed one."""
        share = self.table.source.methodology.expected_shortfall.stressed_ppm
        filtered, stressed = self.shortfalls.parts.T
        scaled = stressed // PPM * share + -(-(stressed % PPM * share) // PPM)
        return np.asarray(np.maximum(filtered, scaled))

    @cached_property
    def core(self) -> Integers:
        """Core margin, quanta."""
        greeks: Integers = self.greeks.total
        scan: Integers = self.scan.charge
        largest = np.maximum(np.maximum(greeks, scan), self.shortfall)
        return np.asarray(largest + self.greeks.roll + self.proportional)

    @cached_property
    def proportional(self) -> Integers:
        """Add-ons inside the core margin, quanta."""
        naked: Integers = self.addons.naked
        return np.asarray(naked + self.addons.perps + self.addons.confidence)

    @cached_property
    def initial(self) -> Exact:
        """Initial margins, WAD, rounded up: as `keeper.risk.levels`."""
        source = self.table.source
        factor = PPM + depeg(source.market.settlement_price, source.methodology)
        scaled = -(-self._wad(self.core) * self.multipliers.astype(object) * factor // PPM**2)
        return np.asarray(scaled + self._wad(self.addons.liquidity) + self.sizes)

    @cached_property
    def maintenance(self) -> Exact:
        """Maintenance margins, WAD, rounded up: as `keeper.risk.levels`."""
        m = self.table.source.methodology
        sized = -(-(self._wad(self.core) + self.sizes) * m.maintenance.of_core_ppm // PPM)
        liquid = -(-self._wad(self.addons.liquidity) * m.liquidity.of_maintenance_ppm // PPM)
        of_initial = -(-self.initial * m.maintenance.of_initial_ppm // PPM)
        return np.asarray(np.maximum(sized + liquid, of_initial))

    @cached_property
    def sizes(self) -> Exact:
        """Size add-ons, WAD."""
        methodology, core = self.table.source.methodology, self._wad(self.core)
        result = np.zeros(len(self), dtype=object)
        # few books reach the first tier
        first = min((start for start, _ in methodology.sizes.tiers), default=None)
        if first is not None:
            for account in np.flatnonzero(core > first * WAD).tolist():
                result[account] = size_charge(core[account], methodology)
        return result

    @cached_property
    def mark(self) -> Exact:
        """Marks, WAD."""
        high, middle, low = self.marks.parts.T.astype(object)
        # 1e-16 USD
        total = (high * 2**LIMB_BITS + middle) * 2**LIMB_BITS + low
        result = np.asarray(total * 100)
        for account in {*np.flatnonzero(self.marks.undecided).tolist(), *self.recomputed}:
            result[account] = mark_of(self.legs(account), self.table.source)
        return result

    def _wad(self, quanta: Integers) -> Exact:
        return np.asarray(quanta.astype(object) * (self.table.source.methodology.quantum_e8 * PRICE_UNIT))

    def legs(self, account: int) -> list[Leg]:
        """One account's legs, ascending."""
        return self.books.legs(account, self.table.instruments)

    def explain(self, account: int, tier: int = 0) -> Margin:
        """One account's margin with its full breakdown, down to single legs."""
        return account_margin(self.legs(account), self.table.source, tier)

    def binding(self, account: int) -> dict[str, Any]:
        """Charges of one account, and per offset group the scenario that binds; needs detail."""
        groups = self.table.source.groups
        columns = zip(self.table.groups, self.scan.column[account].tolist(), strict=True)
        return {
            "scan": int(self.scan.charge[account]),
            "greeks": int(self.greeks.total[account]),
            "shortfall": int(self.shortfall[account]),
            "roll": int(self.greeks.roll[account]),
            "addons": int(self.proportional[account]),
            "liquidity": int(self.addons.liquidity[account]),
            "scenarios": {key: groups[key].scenarios[column].name for key, column in columns if column >= 0},
            "underlyings": {
                underlying: profit
                for underlying, profit in zip(
                    self.table.underlyings, self.scan.profit[account].tolist(), strict=True
                )
                if profit
            },
        }

    def recompute(self, accounts: Integers) -> None:
        """Replace the charges of some accounts by those of the exact integers."""
        for account in accounts.tolist():
            self._recompute(account)
            self.recomputed.append(account)

    def _recompute(self, account: int) -> None:
        table = self.table.source
        book = book_of(self.legs(account), table)
        core = core_of(book, table)
        delta, smile = core.greeks.delta, core.greeks.smile
        charges = [
            core.greeks.total,
            delta.total,
            smile.vega,
            smile.curvature,
            smile.theta,
            delta.concentration,
        ]
        for array, value in zip(self.greeks, [*charges, core.roll], strict=False):
            array[account] = value
        names = [name for name, _ in table.methodology.correlation_sets]
        self.greeks.worst_set[account] = names.index(delta.correlation_set)
        self.shortfalls.parts[account] = core.shortfall.filtered, core.shortfall.stressed
        self.shortfalls.value_at_risk[account] = core.shortfall.value_at_risk
        addons = core.addons
        self.addons.naked[account], self.addons.perps[account] = addons.naked, addons.perps
        self.addons.confidence[account] = addons.confidence
        self.addons.liquidity[account] = liquidity_charge(addons.spreads, table.methodology)
        self.scan.charge[account] = core.scan
        if self.scan.loss.shape[1] == 0:
            return
        for underlying, position in delta.positions.items():
            index = self.table.underlyings.index(underlying)
            self.greeks.net[account, index], self.greeks.charged[account, index] = (
                position.net,
                position.charged,
            )
        for key, profits in book.profits.items():
            net = net_profit(profits, table.methodology.scan.offset_ppm)
            column = int(np.argmin(net))
            group = self.table.groups.index(key)
            self.scan.column[account, group], self.scan.loss[account, group] = (
                column,
                max(0, -int(net[column])),
            )
            for underlying, profit in profits.items():
                self.scan.profit[account, self.table.underlyings.index(underlying)] = profit[column]
