"""Deribit's portfolio margin: worst of a table of price and vol moves, plus delta and roll shocks.

    risk matrix margin = worst case + delta shock + roll shock;  initial = that,  maintenance = .8 of that

The worst case enters rounded to 1e-9, as the published margins show.

A pair settles in coins ("coin", the inverse contracts) or in USD ("usd", the USDC contracts), by
`pair.<symbol>.settlement`. A coin-settled margin is an amount of coins; `Requirement` gives its USD value at
the index, and the breakdown both. Quantities are coins also of inverse futures, at their mark price. Margin
of open orders, spot orders and market-maker protection, which the venue adds, has no place in a portfolio.

"segregated" margins every underlying by itself. "cross" moves them all by the same node of their ranges and
lets gains, at `pnl_offset` and up to `max_offsetable_pnl`, pay for losses of others; the venue publishes no
example of two currencies, so this is a reading of its description.

Sources: support.deribit.com article 25944756247837; docs.deribit.com, private/pme/simulate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio
from keeper.presets import deribit_risk
from keeper.presets.legs import Floats, book, symbols
from keeper.presets.parameters import entry
from keeper.presets.requirement import Requirement

NAME = "deribit-pm"


@dataclass(frozen=True)
class _Pair:
    """One underlying; vectors in its settlement currency, `unit` USD each."""

    mark: float
    unit: float
    before: deribit_risk.Vectors
    standard: Floats
    extended: Floats
    delta_shock: float
    roll_shock: float

    @property
    def aggregated(self) -> Floats:
        return np.concatenate([self.standard, self.extended])


def evaluate(portfolio: Portfolio, market: MarketState, parameters: Mapping[str, Any]) -> Requirement:
    """Requirement of a portfolio, USD.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
        ValueError: an unknown `model` or `settlement`.
    """
    if parameters["model"] not in ("segregated", "cross"):
        raise ValueError(f"{NAME}: model must be segregated or cross, not {parameters['model']!r}")
    pairs = {x: _pair(portfolio, market, x, parameters) for x in symbols(portfolio)}
    decimals = int(parameters["general"]["worst_case_decimals"])
    if parameters["model"] == "cross":
        joint = sum((p.aggregated * p.unit for p in pairs.values()), np.zeros(1))
        worst = {"cross": _worst(joint, decimals)}
    else:
        worst = {x: _worst(p.aggregated, decimals) * p.unit for x, p in pairs.items()}
    shocks = sum((p.delta_shock + p.roll_shock) * p.unit for p in pairs.values())
    matrix = sum(worst.values()) + shocks
    mark = sum(p.mark for p in pairs.values()) + portfolio.unsettled
    values = {
        x.asset: x.amount * market.underlying(x.asset).spot / market.settlement_price
        for x in portfolio.collateral
    }
    haircuts = sum(v * entry(parameters["currency"], x)["haircut"] for x, v in values.items())
    return Requirement(
        model=NAME,
        mark=mark,
        equity=portfolio.cash + mark + sum(values.values()),
        initial=matrix + haircuts,
        maintenance=matrix * parameters["general"]["maintenance_factor"] + haircuts,
        breakdown={
            "risk_matrix_margin": matrix,
            "worst_case": worst,
            "haircuts": haircuts,
            "margins": {x: _detail(p, parameters) for x, p in pairs.items()},
        },
    )


def _pair(portfolio: Portfolio, market: MarketState, symbol: str, parameters: Mapping[str, Any]) -> _Pair:
    general, pair = parameters["general"], entry(parameters["pair"], symbol)
    currency = entry(parameters["currency"], symbol)
    legs = book(portfolio, market, symbol)
    index = legs.underlying.spot
    unit = index if deribit_risk.is_inverse(pair) else 1.0
    held = sum(x.amount for x in portfolio.collateral if x.asset == symbol)
    before = deribit_risk.vectors(legs, held, general, pair)
    extended = deribit_risk.dampened(before.extended, index, general, pair, currency["extended_dampener"])
    deltas = deribit_risk.option_deltas(legs)
    years = {x: market.years(x) for x in (*legs.futures, *(e.expiry for e in legs.options.expiries))}
    coin = index / unit
    value = float((legs.options.price(1.0, legs.options.vol) * legs.options.quantity).sum())
    return _Pair(
        mark=value + legs.unrealised,
        unit=unit,
        before=before,
        standard=_offset(before.standard, unit, currency),
        extended=_offset(extended, unit, currency),
        delta_shock=deribit_risk.delta_shock(legs, deltas, index, pair) * coin,
        roll_shock=deribit_risk.roll_shock(legs, deltas, years, currency) * coin,
    )


def _worst(pnl: Floats, decimals: int) -> float:
    return round(max(-float(pnl.min()), 0.0), decimals)


def _offset(pnl: Floats, unit: float, currency: Mapping[str, Any]) -> Floats:
    """Losses whole; of gains the share that may pay for losses elsewhere."""
    gains = np.minimum(np.maximum(pnl, 0.0) * currency["pnl_offset"], currency["max_offsetable_pnl"] / unit)
    return np.asarray(np.minimum(pnl, 0.0) + gains)


def _detail(pair: _Pair, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The venue's own terms, in the settlement currency, and the risk matrix margin in USD."""
    lowest = int(np.argmin(pair.aggregated))
    size = len(pair.standard)
    is_standard = lowest < size
    rounded = _worst(pair.aggregated, int(parameters["general"]["worst_case_decimals"]))
    matrix = rounded + pair.delta_shock + pair.roll_shock
    return {
        "worst_case": max(-float(pair.aggregated[lowest]), 0.0),
        "worst_case_bucket": {
            "source": "standard" if is_standard else "extended",
            "index": lowest + 1 if is_standard else lowest - size + 1,
            "bucket": lowest // 3 + 1 if is_standard else lowest - size + 1,
        },
        "delta_shock": pair.delta_shock,
        "roll_shock": pair.roll_shock,
        "risk_matrix_margin": matrix,
        "risk_matrix_margin_usd": matrix * pair.unit,
        "maintenance_margin": matrix * parameters["general"]["maintenance_factor"],
        "pre_aggregated": {
            "standard": pair.before.standard.tolist(),
            "extended": pair.before.extended.tolist(),
        },
        "aggregated": {"standard": pair.standard.tolist(), "extended": pair.extended.tolist()},
    }
