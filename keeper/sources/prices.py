"""Price and funding histories as typed series. Times are unix seconds (UTC), prices USD, rates fractions per
interval.

`keeper.sources.price_files` reads them from CSV. A bar carries the time it opens at: its close is the price
`interval` seconds later.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

DAY = 86_400


@dataclass(frozen=True, eq=False)
class PriceSeries:
    """One instrument's bars, ascending in time.

    Attributes:
        name: "venue/coin", or the file's name where it holds only one series.
        timestamps: (n,) opening times.
        close: (n,) closing prices, positive.
        open, high, low: (n,) or None where only closes are recorded.
        volume: (n,) in the file's unit, NaN where the cell is empty; None without that column.
        interval: seconds that one bar lasts.
    """

    name: str
    timestamps: Times
    close: Values
    open: Values | None = None
    high: Values | None = None
    low: Values | None = None
    volume: Values | None = None
    interval: int = DAY

    def __len__(self) -> int:
        return len(self.timestamps)

    def between(self, start: int, end: int) -> "PriceSeries":
        """The bars that open in [start, end)."""
        return self._where((self.timestamps >= start) & (self.timestamps < end))

    def log_returns(self) -> Values:
        """(n - 1,) ln(close / previous close); over a gap the return spans the gap."""
        return np.asarray(np.diff(np.log(self.close)))

    def resample(self, seconds: int, max_gap_seconds: int = 3_600) -> "PriceSeries":
        """Bars of `seconds`, aligned to the unix epoch (86,400: UTC days).

        A period without a bar, or whose last bar ends more than `max_gap_seconds` before the period does, is
        left out: its close would be of another time than it says.

        Raises:
            ValueError: the bars are longer than `seconds`.
        """
        if seconds < self.interval:
            raise ValueError(
                f"prices: {self.name} has bars of {self.interval} s, ask for longer than {seconds} s"
            )
        period = self.timestamps // seconds
        _, last = _runs(period)
        late = (period[last] + 1) * seconds - self.timestamps[last] - self.interval
        bars = self._where(np.isin(period, period[last[late <= max_gap_seconds]]))
        first, last = _runs(bars.timestamps // seconds)
        return PriceSeries(
            self.name,
            np.asarray(bars.timestamps[last] // seconds * seconds),
            bars.close[last],
            None if bars.open is None else bars.open[first],
            None if bars.high is None else np.maximum.reduceat(bars.high, first),
            None if bars.low is None else np.minimum.reduceat(bars.low, first),
            None if bars.volume is None else np.add.reduceat(bars.volume, first),
            seconds,
        )

    def daily(self, max_gap_seconds: int = 3_600) -> "PriceSeries":
        """Bars of UTC days; days that are not covered to their end are left out (`resample`)."""
        return self.resample(DAY, max_gap_seconds)

    def _where(self, keep: npt.NDArray[np.bool_]) -> "PriceSeries":
        def kept(values: Values | None) -> Values | None:
            return None if values is None else values[keep]

        return PriceSeries(
            self.name,
            self.timestamps[keep],
            self.close[keep],
            kept(self.open),
            kept(self.high),
            kept(self.low),
            kept(self.volume),
            self.interval,
        )


@dataclass(frozen=True, eq=False)
class FundingSeries:
    """One perpetual's funding, ascending in time.

    Attributes:
        timestamps: (n,) when a payment is due.
        rates: (n,) fraction of the notional per interval; positive: longs pay shorts.
        interval: seconds between payments.
    """

    name: str
    timestamps: Times
    rates: Values
    interval: int = 28_800

    def __len__(self) -> int:
        return len(self.timestamps)

    def daily(self) -> "FundingSeries":
        """Sum of the payments due in each UTC day; a day without one is left out."""
        days, index = np.unique(self.timestamps // DAY, return_inverse=True)
        sums = np.bincount(index, self.rates, len(days)).astype(np.float64)
        return FundingSeries(self.name, np.asarray(days * DAY, dtype=np.int64), sums, DAY)


def _runs(period: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First and last index of every run of equal periods."""
    changes = np.flatnonzero(np.diff(period))
    first = np.concatenate([[0], changes + 1]) if len(period) else changes
    last = np.concatenate([changes, [len(period) - 1]]) if len(period) else changes
    return first, last


def aligned(series: Mapping[str, PriceSeries]) -> tuple[Times, Values]:
    """Closes of several series at the times they all have: (n,) times and (n, k) closes, columns in order.

    Raises:
        ValueError: no series, or series of different intervals.
    """
    if not series:
        raise ValueError("prices: no series to align, name at least one")
    intervals = {s.interval for s in series.values()}
    if len(intervals) > 1:
        raise ValueError(f"prices: bars of {sorted(intervals)} s do not align, resample them to one interval")
    times = [s.timestamps for s in series.values()]
    common = times[0]
    for other in times[1:]:
        common = np.intersect1d(common, other, assume_unique=True)
    columns = [s.close[np.searchsorted(s.timestamps, common)] for s in series.values()]
    return common, np.column_stack(columns)
