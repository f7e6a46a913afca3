"""Trades in a portfolio: legs added, profits pinned to today's prices, expiries settled."""

import re
from collections.abc import Iterable
from dataclasses import replace
from math import isfinite

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.names import parse_name
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.pricing import black76

_TRADE = re.compile(r"(?P<name>[^:@]+):(?P<quantity>[^@]+)(?:@(?P<price>.+))?")


def parse_trade(text: str, market: MarketState) -> tuple[Position, float]:
    """Position and price of "BTC-27JUN25-100000-C:-5@1200": NAME:QUANTITY, and the price per coin, which is
    today's value where it is left out.

    Raises:
        LookupError: the market lacks the underlying, the expiry or its vols.
        ValueError: it is no trade.
    """
    found = _TRADE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no trade: write BTC-27JUN25-100000-C:-5@1200 or BTC-PERP:2")
    name = parse_name(found["name"])
    try:
        quantity = float(found["quantity"])
        price = float(found["price"]) if found["price"] else None
    except ValueError:
        raise ValueError(f"{text!r}: quantity and price must be numbers") from None
    if not isfinite(quantity) or quantity == 0.0 or not isfinite(price or 0.0):
        raise ValueError(f"{text!r}: quantity and price must be finite, and the quantity not zero")
    position = Position(name.underlying, name.kind, quantity, name.strike, name.expiry)
    paid = value(position, market) if price is None else price
    return (position if position.is_option else replace(position, entry=paid)), paid


def added(portfolio: Portfolio, trades: Iterable[tuple[Position, float]]) -> Portfolio:
    """The portfolio after trades; an option's premium leaves or enters the cash."""
    done = list(trades)
    premiums = sum(p.quantity * price for p, price in done if p.is_option)
    return replace(
        portfolio,
        positions=(*portfolio.positions, *(p for p, _ in done)),
        cash=portfolio.cash - premiums,
    )


def pinned(portfolio: Portfolio, market: MarketState) -> Portfolio:
    """Perps and futures whose profit is in the cash get today's price as entry, so that a later market shows
    the profit from here on. Raises LookupError when the market lacks one.
    """
    positions = tuple(
        p if p.is_option or p.entry is not None else replace(p, entry=value(p, market))
        for p in portfolio.positions
    )
    return replace(portfolio, positions=positions)


def settled(portfolio: Portfolio, market: MarketState) -> Portfolio:
    """What has expired at the market's time is cash, at its forward, the settlement price by then.

    Raises:
        LookupError: the market lacks an expiry.
    """
    gone = [p for p in portfolio.positions if 0 < p.expiry <= market.timestamp]
    rest = tuple(p for p in portfolio.positions if not 0 < p.expiry <= market.timestamp)
    return replace(portfolio, positions=rest, cash=portfolio.cash + sum(_paid(p, market) for p in gone))


def value(position: Position, market: MarketState) -> float:
    """What one coin of a position costs, USD: perps and futures their price, options by Black-76, not
    discounted.

    Raises:
        LookupError: the market lacks the underlying, the expiry or its vols.
    """
    underlying = market.underlying(position.underlying)
    if position.kind == Kind.PERP:
        return underlying.perp
    expiry = underlying.expiry(position.expiry)
    if position.kind == Kind.FUTURE:
        return expiry.forward
    years = market.years(position.expiry)
    vol = expiry.vol(position.strike, years)
    is_call = position.kind == Kind.CALL
    return float(
        black76.price(is_call=is_call, forward=expiry.forward, strike=position.strike, years=years, vol=vol)
    )


def _paid(position: Position, market: MarketState) -> float:
    price = market.underlying(position.underlying).expiry(position.expiry).forward
    if position.kind == Kind.FUTURE:
        return position.quantity * (price - position.entry) if position.entry is not None else 0.0
    gain = price - position.strike if position.kind == Kind.CALL else position.strike - price
    return position.quantity * max(gain, 0.0)
