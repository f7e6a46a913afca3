"""Derive's standard margin (SRM): shorts by formula, or an expiry's worst payoff where that is less.

    net = cash + sum of perps + options + collateral + profit not yet settled - depeg

Every expiry needs the lesser of the sum of its shorts' isolated margins and its greatest loss at expiry,
taken at zero and at every strike, plus a charge on the forward for calls sold beyond those bought. Long
options need nothing and give nothing. `equity` counts everything at market value, so that value which the
venue does not lend against is part of the requirement.

Source: derivexyz/v2-core at 7736900d, contracts StandardManager and SRMPortfolioViewer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Holding, Portfolio
from keeper.presets import derive_scenarios, derive_vol
from keeper.presets.legs import Book, Floats, book, symbols
from keeper.presets.parameters import entry
from keeper.presets.requirement import Requirement

NAME = "derive-srm"


@dataclass(frozen=True)
class _Charges:
    """Parts of the net margin: charges negative, credits positive."""

    perp: float
    option: float
    collateral: float
    oracle: float
    depeg: float
    expiries: tuple[dict[str, Any], ...] = ()

    @property
    def total(self) -> float:
        return self.perp + self.option + self.collateral + self.oracle + self.depeg


def evaluate(portfolio: Portfolio, market: MarketState, parameters: Mapping[str, Any]) -> Requirement:
    """Requirement of a portfolio; `equity - initial` and `equity - maintenance` are the contract's margins.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
        ValueError: a dated future, which Derive does not list.
    """
    books = [book(portfolio, market, x, derive_vol.vol) for x in symbols(portfolio)]
    for x in books:
        derive_scenarios.require_listed(x, NAME)
    unrealised = sum(x.unrealised for x in books) + portfolio.unsettled
    marks = [x.options.price(1.0, x.options.vol) * x.options.quantity for x in books]
    mark = sum(float(x.sum()) for x in marks) + unrealised
    collateral = sum(_value(x, market) for x in portfolio.collateral) / market.settlement_price
    equity = portfolio.cash + mark + collateral
    nets, parts = {}, {}
    for state in ("initial", "maintenance"):
        parts[state] = {
            x.underlying.symbol: _position_charges(x, m, market, parameters, state)
            for x, m in zip(books, marks, strict=True)
        } | {
            f"collateral {x.asset}": _collateral_charges(x, market, parameters, state)
            for x in portfolio.collateral
        }
        nets[state] = portfolio.cash + unrealised + sum(x.total for x in parts[state].values())
    return Requirement(
        model=NAME,
        mark=mark,
        equity=equity,
        initial=equity - nets["initial"],
        maintenance=equity - nets["maintenance"],
        breakdown={state: {k: vars(v) for k, v in x.items()} for state, x in parts.items()},
    )


def _value(holding: Holding, market: MarketState) -> float:
    return holding.amount * market.underlying(holding.asset).spot


def _low_confidence(confidence: float, threshold: float, factor: float) -> float:
    """Share of the spot value charged; nothing at or above the threshold, or where that is zero."""
    return (1.0 - confidence) * factor if threshold and confidence < threshold else 0.0


def _position_charges(
    legs: Book, mark: Floats, market: MarketState, parameters: Mapping[str, Any], state: str
) -> _Charges:
    symbol, spot = legs.underlying.symbol, legs.underlying.spot
    expiries = tuple(_expiry(legs, mark, i, parameters, state) for i in range(len(legs.options.expiries)))
    shorts = np.maximum(-legs.options.quantity, 0.0)
    oracle, depeg = 0.0, 0.0
    if state == "initial":
        table = entry(parameters["oracle"], symbol)
        confidence = min(legs.underlying.perp_confidence, legs.underlying.confidence)
        oracle = abs(legs.perp) * _low_confidence(confidence, table["perp_threshold"], table["factor"])
        for expiry, size in zip(legs.options.expiries, legs.options.by_expiry(shorts), strict=True):
            least = min(expiry.confidence, legs.underlying.confidence)
            oracle += float(size) * _low_confidence(least, table["option_threshold"], table["factor"])
        gap = max(parameters["depeg"]["threshold"] - market.settlement_price, 0.0)
        depeg = gap * parameters["depeg"]["factor"] * (abs(legs.perp) + float(shorts.sum()))
    requirement = entry(parameters["perp"], symbol)[state]
    return _Charges(
        perp=-abs(legs.perp) * legs.underlying.perp * requirement,
        option=sum(x["margin"] for x in expiries),
        collateral=0.0,
        oracle=-oracle * spot,
        depeg=-depeg * spot,
        expiries=expiries,
    )


def _expiry(
    legs: Book, mark: Floats, index: int, parameters: Mapping[str, Any], state: str
) -> dict[str, Any]:
    """Margin of one expiry's options, not positive, and which of the two rules gives it."""
    table = entry(parameters["option"], legs.underlying.symbol)
    options, part = legs.options, legs.options.of_expiry(index)
    quantity, strike, is_call = options.quantity[part], options.strike[part], options.is_call[part]
    isolated = _isolated(quantity, strike, is_call, mark[part], legs.underlying.spot, table, state)
    # the payoff is linear between strikes; above the highest, the unpaired calls are charged instead
    prices = np.append(strike, 0.0)[:, None]
    payoff = np.where(is_call, np.maximum(prices - strike, 0.0), np.maximum(strike - prices, 0.0))
    max_loss = min(float((payoff * quantity).sum(axis=1).min()), 0.0)
    net_calls = float(quantity[is_call].sum())
    max_loss += table[f"unpaired_{state}"] * options.expiries[index].forward * min(net_calls, 0.0)
    is_isolated = isolated >= max_loss
    return {
        "expiry": options.expiries[index].expiry,
        "margin": isolated if is_isolated else max_loss,
        "rule": "isolated" if is_isolated else "max loss",
        "isolated": isolated,
        "max_loss": max_loss,
    }


def _isolated(
    quantity: Floats,
    strike: Floats,
    is_call: Any,
    mark: Floats,
    spot: float,
    table: Mapping[str, float],
    state: str,
) -> float:
    """Sum of the shorts' margins alone, not positive.

    Call: mark + spot x (maintenance: a share; initial: the larger of max - out-of-the-money and min).
    Put: the larger of a share of spot and a share of the mark, and the mark; initial: the larger of the
    call's rule and a multiple of maintenance.
    """
    short = np.minimum(quantity, 0.0)
    value = np.where(quantity < 0.0, mark, 0.0)
    put = (
        np.minimum(table["maintenance_put_spot"] * spot * short, table["maintenance_put_mark"] * value)
        + value
    )
    if state == "maintenance":
        call = table["maintenance_call_spot"] * spot * short + value
        return float(np.where(is_call, call, put).sum())
    otm = np.maximum(np.where(is_call, strike - spot, spot - strike), 0.0) / spot
    rule = np.maximum(table["max_spot"] - otm, table["min_spot"]) * spot * short + value
    return float(np.where(is_call, rule, np.minimum(rule, put * table["maintenance_scale"])).sum())


def _collateral_charges(
    holding: Holding, market: MarketState, parameters: Mapping[str, Any], state: str
) -> _Charges:
    table = entry(parameters["collateral"], holding.asset)
    value = _value(holding, market)
    credit, oracle = value * table["margin_factor"], 0.0
    if state == "initial":
        rule = entry(parameters["oracle"], holding.asset)
        confidence = market.underlying(holding.asset).confidence
        credit *= table["initial_scale"]
        oracle = value * _low_confidence(confidence, rule["collateral_threshold"], rule["factor"])
    return _Charges(perp=0.0, option=0.0, collateral=credit, oracle=-oracle, depeg=0.0)
