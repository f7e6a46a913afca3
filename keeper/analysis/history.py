"""Joint daily closes of several underlyings: recorded facts, as shipped or from price files."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import numpy as np

from keeper.pricing.kernels import Floats
from keeper.sources.price_files import read_prices
from keeper.sources.prices import DAY, PriceSeries

_TABLE = "data/daily_closes.csv"


@dataclass(frozen=True, eq=False)
class PriceHistory:
    """Closes at midnight UTC.

    Attributes:
        days: the days that end at the closes, consecutive.
        symbols: of the columns.
        closes: (days, symbols) USD; NaN where an underlying was not recorded yet.
        source: where they come from.
    """

    days: tuple[date, ...]
    symbols: tuple[str, ...]
    closes: Floats
    source: str

    def __len__(self) -> int:
        return len(self.days)

    def close_time(self, index: int) -> int:
        """Unix seconds of a close."""
        return int(datetime.combine(self.days[index], datetime.min.time(), UTC).timestamp()) + DAY

    def series(self, symbol: str) -> dict[date, float]:
        """Recorded closes of one underlying by day. Raises LookupError when it is not in the history."""
        if symbol not in self.symbols:
            raise LookupError(f"history: no prices of {symbol}; add a file of them")
        column = self.closes[:, self.symbols.index(symbol)]
        return {day: float(x) for day, x in zip(self.days, column, strict=True) if np.isfinite(x)}

    def listed(self, index: int) -> tuple[str, ...]:
        """Underlyings recorded on a day."""
        return tuple(s for s, x in zip(self.symbols, self.closes[index], strict=True) if np.isfinite(x))

    def index_of(self, day: date) -> int:
        """Row of a day. Raises LookupError outside the history."""
        index = (day - self.days[0]).days
        if not 0 <= index < len(self.days):
            raise LookupError(f"history: {day} lies outside {self.days[0]} to {self.days[-1]}")
        return index

    def first_joint_day(self) -> date:
        """The first day on which every underlying is recorded."""
        return self.days[int(np.argmax(np.isfinite(self.closes).all(axis=1)))]


def recorded() -> PriceHistory:
    """The closes shipped with the package: BTC, ETH and SOL; sources in the file."""
    text = resources.files("keeper.analysis").joinpath(_TABLE).read_text(encoding="utf-8")
    lines = text.splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    symbols = [name for name in rows[0] if name != "date"]
    series = {s: {date.fromisoformat(r["date"]): float(r[s]) for r in rows if r[s]} for s in symbols}
    source = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    return _joined(series, source)


def from_files(files: Mapping[str, Path]) -> PriceHistory:
    """A history from price files, one for each underlying; finer bars are resampled to days.

    Raises:
        ValueError: a file cannot be read, holds several series, or the files have no day in common.
    """
    series = {symbol: _daily(symbol, path) for symbol, path in files.items()}
    names = ", ".join(f"{symbol}: {path.name}" for symbol, path in files.items())
    return _joined(series, f"Daily closes from {names}.")


def parse_files(arguments: Iterable[str]) -> dict[str, Path]:
    """Arguments SYMBOL=FILE of the command line.

    Raises:
        ValueError: one is not of this form.
    """
    found = {}
    for text in arguments:
        symbol, mark, name = text.partition("=")
        if not (symbol and mark and name):
            raise ValueError(f"history: {text!r} is not SYMBOL=FILE, such as BTC=btc_daily.csv.gz")
        found[symbol.upper()] = Path(name)
    return found


def _daily(symbol: str, path: Path) -> dict[date, float]:
    found = read_prices(path)
    chosen = [s for name, s in found.items() if name.split("/")[-1].upper() == symbol] or list(found.values())
    if len(chosen) != 1:
        raise ValueError(f"history: {path} holds {len(chosen)} series of {symbol}, keep one")
    bars: PriceSeries = chosen[0].daily()
    days = (datetime.fromtimestamp(int(t), UTC).date() for t in bars.timestamps)
    return {day: float(close) for day, close in zip(days, bars.close, strict=True)}


def _joined(series: Mapping[str, Mapping[date, float]], source: str) -> PriceHistory:
    """Consecutive days from the first on which anything is recorded to the last on which everything is.

    A day that one underlying misses inside its record repeats the close before it.
    """
    first = min(min(s) for s in series.values())
    last = min(max(s) for s in series.values())
    if last <= first:
        raise ValueError("history: the files have no days in common")
    days = tuple(first + timedelta(n) for n in range((last - first).days + 1))
    columns = [_filled([s.get(day, np.nan) for day in days]) for s in series.values()]
    return PriceHistory(days, tuple(series), np.column_stack(columns), source)


def _filled(values: list[float]) -> Floats:
    for i in range(1, len(values)):
        if np.isnan(values[i]):
            values[i] = values[i - 1]
    return np.asarray(values)
