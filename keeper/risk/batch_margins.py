"""Results of many accounts' margins: arrays by charge, numbers in WAD and explanations of single accounts."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from keeper.markets.instrument import Leg
from keeper.risk.batch_levels import LevelResult, levels_of_all, marks_of
from keeper.risk.batch_table import BatchTable
from keeper.risk.book import book_of
from keeper.risk.books import Books
from keeper.risk.compiled_addons import AddonResult
from keeper.risk.compiled_greeks import GreeksResult
from keeper.risk.compiled_marks import MarkResult
from keeper.risk.compiled_scan import ScanResult
from keeper.risk.core import core_of
from keeper.risk.liquidity import liquidity_charge
from keeper.risk.margin import Margin, account_margin, mark_of
from keeper.risk.parameters import PPM
from keeper.risk.scan import Integers
from keeper.risk.scan_charge import net_profit
from keeper.risk.wide import Exact, Wide


class Shortfalls(NamedTuple):
    """Quanta: expected shortfall of filtered and of stressed days, shape (accounts, 2); value at risk."""

    parts: Integers
    value_at_risk: Integers


@dataclass(frozen=True)
class BatchMargins:
    """Margins of many accounts. Charges are whole quanta in 64 bits; marks and margins are in WAD, in 128.

    Attributes:
        multipliers: of the core margin, ppm.
        scan, greeks, shortfalls, addons: charges with what binds, by account.
        valued: marks in parts.
        recomputed: accounts that were computed one by one with integers of any length.
    """

    table: BatchTable
    books: Books
    multipliers: Integers
    scan: ScanResult
    greeks: GreeksResult
    shortfalls: Shortfalls
    addons: AddonResult
    valued: MarkResult
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
    def levels(self) -> LevelResult:
        """Margins, WAD, and how far they bound those of larger accounts."""
        return levels_of_all(self)

    @cached_property
    def marks(self) -> Wide:
        """Marks, WAD."""
        result = marks_of(self)
        for account in {*np.flatnonzero(self.valued.undecided).tolist(), *self.recomputed}:
            result.put(account, mark_of(self.legs(account), self.table.source))
        return result

    @cached_property
    def initial(self) -> Exact:
        """Initial margins, WAD, rounded up: as `keeper.risk.levels`."""
        return self.levels.initial.objects()

    @cached_property
    def maintenance(self) -> Exact:
        """Maintenance margins, WAD, rounded up: as `keeper.risk.levels`."""
        return self.levels.maintenance.objects()

    @cached_property
    def mark(self) -> Exact:
        """Marks, WAD."""
        return self.marks.objects()

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
        for underlying, position in delta.positions.items():
            index = self.table.underlyings.index(underlying)
            self.greeks.net[account, index], self.greeks.charged[account, index] = (
                position.net,
                position.charged,
            )
        if self.scan.loss.shape[1] == 0:
            return
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
