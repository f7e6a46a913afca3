"""Price and funding histories out of CSV, gzip or plain.

The first line names the columns. A time column (`ts`, `date`, `timestamp`, `time`, `minute_open_ts`) holds
ISO-8601 text, read as UTC where it names no zone, or unix seconds, or milliseconds. Prices need `close`, and
take `open`, `high`, `low` and `volume` or `volume_usd` where they are; funding needs `funding_rate`. Columns
that name what a row is of (`venue`, `coin`, `symbol` and their like) split the file into series.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite, nan
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from keeper.sources.prices import FundingSeries, PriceSeries

_TIMES = ("minute_open_ts", "ts", "date", "timestamp", "time")
_KEYS = ("venue", "exchange", "crypto", "coin", "symbol", "pair", "contract", "instrument_name")
_VOLUMES = ("volume", "volume_usd")
_OHLC = ("open", "high", "low", "close")
_MILLISECONDS = 10**11  # as seconds this is the year 5138
_ONE_BAR = 86_400  # seconds, where a file does not show it
_ONE_PAYMENT = 28_800
_GZIP = b"\x1f\x8b"

_Row = dict[str, str]
_Columns = dict[str, list[float]]


def read_prices(path: Path) -> dict[str, PriceSeries]:
    """Every price series of a file, by name: "binance/BTC", or the file's name where it holds only one.

    Rows without a close are refused; an empty volume is NaN.

    Raises:
        ValueError: the file cannot be read or a line is wrong; file, line and what to do are named.
    """
    found: dict[str, tuple[list[int], _Columns]] = {}
    for line, row, columns in _rows(path, "close"):
        names = [name for name in _OHLC if name in columns]
        volume = next((name for name in _VOLUMES if name in columns), None)
        times, values = found.setdefault(_series_name(row, path), ([], {}))
        _append_time(times, row, path, line)
        prices = {name: _positive(row[name], name, path, line) for name in names}
        if len(prices) == len(_OHLC):
            _check_bar(prices, path, line)
        if volume is not None:
            prices["volume"] = _number(row[volume], volume, path, line) if row[volume] else nan
        for name, value in prices.items():
            values.setdefault(name, []).append(value)
    return {name: _price_series(name, times, values) for name, (times, values) in found.items()}


def read_price(path: Path, name: str | None = None) -> PriceSeries:
    """One series of a file: its only one, or the one of that name.

    Raises:
        LookupError: there is none of that name, or several and none was named.
        ValueError: the file cannot be read (`read_prices`).
    """
    return _only(read_prices(path), path, name)


def read_funding(path: Path) -> dict[str, FundingSeries]:
    """Every funding series of a file, by name; rows without a rate (spot) are passed over.

    Raises:
        ValueError: as `read_prices`.
    """
    found: dict[str, tuple[list[int], list[float]]] = {}
    for line, row, _ in _rows(path, "funding_rate"):
        if not row["funding_rate"]:
            continue
        times, rates = found.setdefault(_series_name(row, path), ([], []))
        _append_time(times, row, path, line)
        rates.append(_number(row["funding_rate"], "funding_rate", path, line))
    return {name: _funding_series(name, times, rates) for name, (times, rates) in found.items()}


def _rows(path: Path, needed: str) -> Iterator[tuple[int, _Row, set[str]]]:
    """Line number, cells and columns of every row; the header is checked."""
    try:
        with _open(path) as text:
            reader = csv.reader(text, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, needed, path)
            columns = set(header)
            for cells in reader:
                if len(cells) != len(header):
                    found = f"{len(cells)} cells under {len(header)} columns"
                    raise _fault(path, reader.line_num, found, "correct the row")
                yield reader.line_num, dict(zip(header, cells, strict=True)), columns
    except (OSError, EOFError) as error:
        raise ValueError(f"prices: {path} cannot be read ({error}), name a CSV file, gzip or plain") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"prices: {path} is not CSV text in UTF-8 ({error}), convert it") from None


def _open(path: Path) -> TextIO:
    """The file's text, unpacked when it begins as gzip does."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if packed:
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8", newline=""))
    return path.open(encoding="utf-8", newline="")


def _check_header(header: list[str], needed: str, path: Path) -> None:
    if not any(name in header for name in _TIMES):
        raise _fault(path, 1, f"no time column ({', '.join(_TIMES)})", "name the columns in the first line")
    if needed not in header:
        raise _fault(path, 1, f"no column {needed}", "name the columns in the first line")


def _series_name(row: _Row, path: Path) -> str:
    return "/".join(row[key] for key in _KEYS if key in row) or path.name.split(".")[0]


def _append_time(times: list[int], row: _Row, path: Path, line: int) -> None:
    text = next(row[name] for name in _TIMES if name in row)
    time = _seconds(text, path, line)
    if times and time <= times[-1]:
        raise _fault(path, line, f"time {text} is not after the series' last", "sort the rows, drop doubles")
    times.append(time)


def _seconds(text: str, path: Path, line: int) -> int:
    try:
        if text.isdigit():
            number = int(text)
            return number // 1_000 if number >= _MILLISECONDS else number
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _fault(path, line, f"time {text!r} is neither ISO-8601 nor unix time", "correct it") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _number(text: str, name: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not isfinite(value):
        raise _fault(path, line, f"{name} {text!r} is not a number", "correct or remove the row")
    return value


def _positive(text: str, name: str, path: Path, line: int) -> float:
    value = _number(text, name, path, line)
    if value <= 0:
        raise _fault(path, line, f"{name} {text} is not positive", "correct or remove the row")
    return value


def _check_bar(prices: Mapping[str, float], path: Path, line: int) -> None:
    if prices["low"] > min(prices.values()) or prices["high"] < max(prices.values()):
        raise _fault(path, line, "open or close lies outside low and high", "correct or remove the row")


def _price_series(name: str, times: list[int], values: _Columns) -> PriceSeries:
    arrays = {column: np.array(numbers) for column, numbers in values.items()}
    steps = np.diff(times)
    interval = int(np.min(steps)) if len(steps) else _ONE_BAR  # gaps only make steps longer
    return PriceSeries(name, np.array(times, dtype=np.int64), interval=interval, **arrays)


def _funding_series(name: str, times: list[int], rates: list[float]) -> FundingSeries:
    steps = np.diff(times)
    interval = int(np.median(steps)) if len(steps) else _ONE_PAYMENT  # venues pay once in a while in between
    return FundingSeries(name, np.array(times, dtype=np.int64), np.array(rates), interval)


def _only(found: Mapping[str, PriceSeries], path: Path, name: str | None) -> PriceSeries:
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is None or name not in found:
        raise LookupError(f"prices: {path} holds {', '.join(found) or 'no series'}: name one of them")
    return found[name]


def _fault(path: Path, line: int, wrong: str, remedy: str) -> ValueError:
    return ValueError(f"prices: {path} line {line}: {wrong}, {remedy}")
