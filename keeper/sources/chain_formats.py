"""The shapes of option files, told apart by their columns.

Prices of Deribit's inverse options are in coin: times the expiry's forward they are undiscounted USD.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from keeper.sources.chain_row import Row
from keeper.sources.option_quote import OptionQuote
from keeper.units.constants import SECONDS_PER_YEAR

_DERIBIT_NAME = re.compile(r"([A-Z0-9_]+)-(\d{1,2}[A-Z]{3}\d{2})-(\d+(?:d\d+)?)-([CP])")
_DERIBIT_HOUR = 8  # UTC: options expire at this hour


class Shape(NamedTuple):
    """A kind of file: what it is called, the columns it must have, how one row is read."""

    name: str
    columns: frozenset[str]
    read: Callable[[Row], OptionQuote]


def _years(expiry: datetime, moment: datetime) -> float:
    return max((expiry - moment).total_seconds(), 0.0) / SECONDS_PER_YEAR


def _in_usd(row: Row, column: str, forward: float) -> float | None:
    return row.quoted(column, forward)


def _chain(row: Row) -> OptionQuote:
    """Deribit's chain: prices in coin, vols as fractions where they are recorded."""
    moment, expiry, forward = (
        row.moment("snapshot_ts"),
        row.moment("expiry"),
        row.positive("underlying_price"),
    )
    return OptionQuote(
        underlying=row.text("currency"),
        expiry=int(expiry.timestamp()),
        strike=row.positive("strike"),
        is_call=row.is_call("option_type"),
        timestamp=int(moment.timestamp()),
        years=_years(expiry, moment),
        forward=forward,
        spot=row.quoted("index_price"),
        bid=_in_usd(row, "bid_price", forward),
        ask=_in_usd(row, "ask_price", forward),
        mark=_in_usd(row, "mark_price", forward),
        mark_vol=row.quoted("mark_iv"),
    )


def _ticker(row: Row) -> OptionQuote:
    """Deribit's ticker messages: prices in coin, vols in percent, the option only by its name."""
    name = row.text("instrument_name")
    found = _DERIBIT_NAME.fullmatch(name)
    if found is None:
        raise row.error(f"instrument_name {name!r} is not of the form BTC-24SEP21-34000-P")
    underlying, day, strike, kind = found.groups()
    try:
        date = datetime.strptime(day, "%d%b%y").replace(tzinfo=UTC)
    except ValueError:
        raise row.error(f"instrument_name {name!r} holds no date") from None
    expiry, moment = date + timedelta(hours=_DERIBIT_HOUR), row.moment("ts")
    forward = row.positive("underlying_price")
    return OptionQuote(
        underlying=underlying,
        expiry=int(expiry.timestamp()),
        strike=float(strike.replace("d", ".")),
        is_call=kind == "C",
        timestamp=int(moment.timestamp()),
        years=_years(expiry, moment),
        forward=forward,
        spot=row.quoted("index_price"),
        bid=_in_usd(row, "bid_price", forward),
        ask=_in_usd(row, "ask_price", forward),
        mark=_in_usd(row, "mark_price", forward),
        bid_vol=row.quoted("bid_iv", 0.01),
        ask_vol=row.quoted("ask_iv", 0.01),
        mark_vol=row.quoted("mark_iv", 0.01),
    )


def _vol_chain(row: Row) -> OptionQuote:
    """Vols by time to expiry, without a date: the expiry is that time after the snapshot."""
    moment, years = row.moment("snapshot_ts"), row.positive("ttm_years")
    return OptionQuote(
        underlying=row.text("ticker"),
        expiry=int(moment.timestamp()) + round(years * SECONDS_PER_YEAR),
        strike=row.positive("strike"),
        is_call=row.is_call("option_type"),
        timestamp=int(moment.timestamp()),
        years=years,
        forward=row.positive("forward"),
        bid_vol=row.quoted("bid_iv"),
        ask_vol=row.quoted("ask_iv"),
        discount=row.positive("discount_factor"),
    )


def _index_chain(row: Row) -> OptionQuote:
    """Vols of an index by expiry date: one row a strike, the out-of-the-money option of it. The file does
    not say the underlying: its name begins with it.
    """
    moment, date = row.moment("date"), row.text("expiry")
    try:
        expiry = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise row.error(f"expiry {date!r} is not a date as 20230216") from None
    strike, forward = row.positive("strike"), row.positive("forward")
    return OptionQuote(
        underlying=row.file.split("_")[0].upper(),
        expiry=int(expiry.timestamp()),
        strike=strike,
        is_call=strike >= forward,
        timestamp=int(moment.timestamp()),
        years=row.positive("ttm_years"),
        forward=forward,
        bid_vol=row.quoted("bid_iv"),
        ask_vol=row.quoted("ask_iv"),
    )


def _columns(*names: str) -> frozenset[str]:
    return frozenset(name for text in names for name in text.split())


SHAPES: Sequence[Shape] = (
    Shape(
        "Deribit chain",
        _columns(
            "snapshot_ts currency option_type strike expiry underlying_price bid_price ask_price",
            "mark_price",
        ),
        _chain,
    ),
    Shape(
        "Deribit tickers",
        _columns("ts instrument_name underlying_price bid_price ask_price mark_price bid_iv ask_iv mark_iv"),
        _ticker,
    ),
    Shape(
        "vols by time to expiry",
        _columns("snapshot_ts ticker ttm_years forward discount_factor option_type strike bid_iv ask_iv"),
        _vol_chain,
    ),
    Shape(
        "vols by expiry date",
        _columns("date expiry ttm_years strike bid_iv ask_iv forward"),
        _index_chain,
    ),
)


def shape_of(columns: Sequence[str], file: str) -> Shape:
    """The shape whose columns the file has.

    Raises:
        ValueError: it has those of no shape; says which the nearest one misses.
    """
    have = frozenset(columns)
    for shape in SHAPES:
        if shape.columns <= have:
            return shape
    nearest = min(SHAPES, key=lambda s: len(s.columns - have) / len(s.columns))
    missing = ", ".join(sorted(nearest.columns - have))
    raise ValueError(f"chains: {file} line 1: no known shape; for a {nearest.name} add {missing}")
