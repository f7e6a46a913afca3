"""Deribit's answers and notifications, checked, as quotes in USD.

Options of BTC and ETH are inverse: their prices are in coin, and times the expiry's forward they are
undiscounted USD. Those of other coins are settled in USDC ("SOL_USDC-26DEC25-200-C") and priced in it. Vols
arrive in percent. Fields: docs.deribit.com, public/ticker, public/get_book_summary_by_currency,
public/get_index_price, public/get_instruments.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from keeper.sources.option_quote import OptionQuote
from keeper.units.constants import SECONDS_PER_YEAR

_NAME = re.compile(r"([A-Z0-9]+)(_USDC)?-(\d{1,2}[A-Z]{3}\d{2})-(\d+(?:d\d+)?)-([CP])")
_EXPIRY_HOUR = 8  # UTC

Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Quoted = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # 0: nobody quotes
Milliseconds = Annotated[int, Field(gt=0)]


class _Message(BaseModel):
    """The venue adds fields as it pleases; those that are used are checked."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class IndexPrice(_Message):
    """public/get_index_price; it carries no time of its own."""

    index_price: Price


class IndexUpdate(_Message):
    """Data of channel deribit_price_index.{index_name}."""

    index_name: str
    price: Price
    timestamp: Milliseconds


class Instrument(_Message):
    """One element of public/get_instruments."""

    instrument_name: str
    kind: str
    base_currency: str
    settlement_period: str | None = None
    is_active: bool
    expiration_timestamp: Milliseconds
    strike: Price | None = None


class BookSummary(_Message):
    """One element of public/get_book_summary_by_currency."""

    instrument_name: str
    creation_timestamp: Milliseconds
    underlying_price: Price | None = None
    estimated_delivery_price: Price | None = None
    mark_price: Quoted | None = None
    mark_iv: Quoted | None = None
    bid_price: Quoted | None = None
    ask_price: Quoted | None = None


class Ticker(_Message):
    """public/ticker, and data of channel ticker.{instrument_name}.{interval}."""

    instrument_name: str
    timestamp: Milliseconds
    state: str
    index_price: Price
    mark_price: Quoted
    best_bid_price: Quoted | None = None
    best_ask_price: Quoted | None = None
    underlying_price: Price | None = None
    bid_iv: Quoted | None = None
    ask_iv: Quoted | None = None
    mark_iv: Quoted | None = None
    funding_8h: Annotated[float, Field(allow_inf_nan=False)] | None = None


class OptionName(NamedTuple):
    """What an option's name says. `expiry` in unix seconds, `strike` in USD."""

    coin: str
    is_inverse: bool
    expiry: int
    strike: float
    is_call: bool


def parse_name(name: str) -> OptionName | None:
    """An option's name, as BTC-24SEP21-34000-P or XRP_USDC-30JUN23-0d625-C; None for anything else."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    coin, linear, day, strike, kind = found.groups()
    try:
        date = datetime.strptime(day, "%d%b%y").replace(tzinfo=UTC)
    except ValueError:
        return None
    expiry = int((date + timedelta(hours=_EXPIRY_HOUR)).timestamp())
    return OptionName(coin, linear is None, expiry, float(strike.replace("d", ".")), kind == "C")


def quote_of_summary(summary: BookSummary) -> OptionQuote | None:
    """The quote in a summary; None where it is of no option, or names no forward."""
    if summary.underlying_price is None:
        return None
    return _quote(
        summary.instrument_name,
        summary.creation_timestamp,
        summary.underlying_price,
        spot=summary.estimated_delivery_price,
        prices=(summary.bid_price, summary.ask_price, summary.mark_price),
        vols=(None, None, summary.mark_iv),
    )


def quote_of_ticker(ticker: Ticker) -> OptionQuote | None:
    """The quote in a ticker; None where it is of no option, names no forward, or its book is not open."""
    if ticker.underlying_price is None or ticker.state != "open":
        return None
    return _quote(
        ticker.instrument_name,
        ticker.timestamp,
        ticker.underlying_price,
        spot=ticker.index_price,
        prices=(ticker.best_bid_price, ticker.best_ask_price, ticker.mark_price),
        vols=(ticker.bid_iv, ticker.ask_iv, ticker.mark_iv),
    )


_Three = tuple[float | None, float | None, float | None]


def _quote(
    name: str, milliseconds: int, forward: float, *, spot: float | None, prices: _Three, vols: _Three
) -> OptionQuote | None:
    option = parse_name(name)
    if option is None:
        return None
    seconds, unit = milliseconds // 1_000, forward if option.is_inverse else 1.0
    bid, ask, mark = ((p or 0.0) * unit or None for p in prices)
    bid_vol, ask_vol, mark_vol = ((v or 0.0) / 100.0 or None for v in vols)
    return OptionQuote(
        underlying=option.coin,
        expiry=option.expiry,
        strike=option.strike,
        is_call=option.is_call,
        timestamp=seconds,
        years=max(option.expiry - seconds, 0) / SECONDS_PER_YEAR,
        forward=forward,
        spot=spot,
        bid=bid,
        ask=ask,
        mark=mark,
        bid_vol=bid_vol,
        ask_vol=ask_vol,
        mark_vol=mark_vol,
    )
