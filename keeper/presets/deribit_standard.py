"""Deribit's standard margin: every position by itself, by formula, in coins of the underlying.

    short call  initial = max(.15 - OTM / F, .1) + mark          maintenance = .075 + mark
    short put   initial = max(max(.15 - OTM / F, .1) + mark, maintenance)
                maintenance = max(.075, .075 mark) + mark
    future      initial = 2 % + .005 % per BTC                   maintenance = 1 % + .005 % per BTC

F is the underlying's mark price, the future of the option's expiry, and the mark an option's value over F.
Coins turn into USD at the index. A USD-settled ("usd") option keeps its mark in USD. Long options need no
margin, and their value carries none: `Requirement.initial` therefore holds the value of all options beside
the venue's initial margin, which the breakdown names.

Sources: support.deribit.com articles 25944811528477 (standard margin) and 25944738177565 (linear perpetuals).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio
from keeper.presets.legs import Book, Floats, book, symbols
from keeper.presets.parameters import entry
from keeper.presets.requirement import Requirement

NAME = "deribit-standard"


class _Margins(NamedTuple):
    """Of one underlying, coins."""

    futures_initial: float
    futures_maintenance: float
    options_initial: float
    options_maintenance: float

    def initial(self) -> float:
        return self.futures_initial + self.options_initial

    def maintenance(self) -> float:
        return self.futures_maintenance + self.options_maintenance


def evaluate(portfolio: Portfolio, market: MarketState, parameters: Mapping[str, Any]) -> Requirement:
    """Requirement of a portfolio, USD.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
        ValueError: an unknown settlement.
    """
    options, unrealised = 0.0, portfolio.unsettled
    margins, rates = {}, {}
    for symbol in symbols(portfolio):
        legs = book(portfolio, market, symbol)
        unit = legs.options.price(1.0, legs.options.vol)
        options += float((unit * legs.options.quantity).sum())
        unrealised += legs.unrealised
        margins[symbol] = _margins(legs, unit, parameters)
        rates[symbol] = legs.underlying.spot
    values = {
        x.asset: x.amount * market.underlying(x.asset).spot / market.settlement_price
        for x in portfolio.collateral
    }
    haircuts = sum(v * entry(parameters["haircut"], x) for x, v in values.items())
    initial = sum(x.initial() * rates[k] for k, x in margins.items())
    maintenance = sum(x.maintenance() * rates[k] for k, x in margins.items())
    return Requirement(
        model=NAME,
        mark=options + unrealised,
        equity=portfolio.cash + options + unrealised + sum(values.values()),
        initial=initial + options + haircuts,
        maintenance=maintenance + options + haircuts,
        breakdown={
            "initial_margin": initial,
            "maintenance_margin": maintenance,
            "options_value": options,
            "haircuts": haircuts,
            "coins": {k: x._asdict() for k, x in margins.items()},
        },
    )


def _margins(legs: Book, unit: Floats, parameters: Mapping[str, Any]) -> _Margins:
    symbol = legs.underlying.symbol
    table = entry(parameters["future"], symbol)
    sizes = np.abs(np.array([legs.perp, *legs.futures.values()]))
    step = float((sizes * sizes).sum()) * table["per_coin"]
    total = float(sizes.sum())
    initial, maintenance = _options(
        legs, unit, entry(parameters["option"], symbol), _mark_price(legs, parameters)
    )
    return _Margins(
        futures_initial=total * table["initial"] + step,
        futures_maintenance=total * table["maintenance"] + step,
        options_initial=initial,
        options_maintenance=maintenance,
    )


def _mark_price(legs: Book, parameters: Mapping[str, Any]) -> Floats:
    """What turns an option's USD value into coins: its future, or the index where it settles in USD."""
    settlement = entry(parameters["settlement"], legs.underlying.symbol)
    if settlement not in ("coin", "usd"):
        raise ValueError(f"{NAME}: settlement must be coin or usd, not {settlement!r}")
    if settlement == "coin":
        return legs.options.forward
    return np.full(len(legs.options.strike), legs.underlying.spot)


def _options(legs: Book, unit: Floats, table: Mapping[str, float], price: Floats) -> tuple[float, float]:
    options = legs.options
    short = np.maximum(-options.quantity, 0.0)
    mark = unit / price
    sign = np.where(options.is_call, 1.0, -1.0)
    otm = np.maximum(sign * (options.strike - options.forward), 0.0) / options.forward
    rule = np.maximum(table["initial"] - otm, table["initial_least"]) + mark
    put = np.maximum(table["maintenance"], table["maintenance"] * mark)
    maintenance = np.where(options.is_call, table["maintenance"], put) + mark
    initial = np.where(options.is_call, rule, np.maximum(rule, maintenance))
    return float((initial * short).sum()), float((maintenance * short).sum())
