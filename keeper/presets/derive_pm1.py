"""Derive's first portfolio margin (PM1): 23 revaluations, gains in value discounted.

    worst = min(basis contingency, P&L of the scenarios) - static contingency
    initial net = factor * worst - confidence + mark-to-market + cash;  maintenance net = worst + the last two

Options are not discounted; what an expiry is worth in a scenario counts at `base_discount` exp(-T (rate
multiplier + add)) when it is positive. One manager margins one underlying and takes that coin alone as
collateral; a portfolio of several is one account of each, with the cash shared out freely.

Source: derivexyz/v2-core at 7736900d, contracts PMRM and PMRMLib.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio
from keeper.presets import derive_scenarios, derive_vol
from keeper.presets.derive_scenarios import confidence_charge
from keeper.presets.legs import Book, Floats, book, symbols
from keeper.presets.requirement import Requirement

NAME = "derive-pm1"

_BASIS = "basis contingency"


@dataclass(frozen=True)
class _Market:
    """Answer of one manager; `worst` holds the static contingency."""

    mark: float
    base_value: float
    worst: float
    confidence: float
    detail: dict[str, Any]


def evaluate(portfolio: Portfolio, market: MarketState, parameters: Mapping[str, Any]) -> Requirement:
    """Requirement of a portfolio; `equity - initial` and `equity - maintenance` are the contract's margins.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
        ValueError: a dated future, which Derive does not list.
    """
    held = sorted({*symbols(portfolio), *(x.asset for x in portfolio.collateral)})
    markets = {x: _margin(portfolio, market, x, parameters) for x in held}
    contingency = parameters["contingency"]
    peg = max(contingency["peg_threshold"] - market.settlement_price, 0.0)
    factor = parameters["margin"]["initial_factor"] + peg * contingency["peg_factor"]
    mark = sum(x.mark for x in markets.values()) + portfolio.unsettled
    worst = sum(x.worst for x in markets.values())
    return Requirement(
        model=NAME,
        mark=mark,
        equity=mark + portfolio.cash + sum(x.base_value for x in markets.values()),
        initial=-worst * factor + sum(x.confidence for x in markets.values()),
        maintenance=-worst,
        breakdown={"initial_factor": factor, "markets": {k: x.detail for k, x in markets.items()}},
    )


def _margin(portfolio: Portfolio, market: MarketState, symbol: str, parameters: Mapping[str, Any]) -> _Market:
    legs = book(portfolio, market, symbol, derive_vol.vol)
    derive_scenarios.require_listed(legs, NAME)
    base = sum(x.amount for x in portfolio.collateral if x.asset == symbol)
    value = base * legs.underlying.spot / market.settlement_price
    options = legs.options
    mark = options.by_expiry(options.price(1.0, options.vol) * options.quantity)
    pnl = _scenario_pnl(legs, mark, value, parameters)
    basis = derive_scenarios.basis_contingency(options, mark, parameters["basis"])
    lowest = int(np.argmin(pnl))
    is_basis = basis <= pnl[lowest]
    static, confidence = _contingencies(legs, base, parameters["contingency"])
    worst = min(basis, float(pnl[lowest]))
    return _Market(
        mark=float(mark.sum()) + legs.unrealised,
        base_value=value,
        worst=worst - sum(static.values()),
        confidence=confidence,
        detail={
            "worst": worst,
            "scenario": _BASIS if is_basis else dict(parameters["scenarios"][lowest]),
            "basis_contingency": basis,
            "contingencies": static | {"initial_confidence": confidence},
            "scenario_pnl": pnl.tolist(),
        },
    )


def _scenario_pnl(legs: Book, mark: Floats, base_value: float, parameters: Mapping[str, Any]) -> Floats:
    scenarios, options, margin = parameters["scenarios"], legs.options, parameters["margin"]
    spot = np.array([x["spot"] for x in scenarios])
    shock = derive_scenarios.vol_shock(options, parameters["vol"])
    vols = {
        "up": options.vol * (1.0 + parameters["vol"]["range_up"] * shock),
        "none": options.vol,
        "down": options.vol * np.maximum(1.0 - parameters["vol"]["range_down"] * shock, 0.0),
    }
    unit = options.price(spot[:, None], np.stack([vols[x["vol"]] for x in scenarios]))
    shocked = options.by_expiry(unit * options.quantity)
    rate = np.maximum(np.array([x.rate for x in options.expiries]), 0.0)
    fall = rate * margin["rate_multiplier"] + margin["rate_add"]
    discount = margin["base_discount"] * np.exp(-options.years[options.starts] * fall)
    by_expiry = np.where(shocked > 0.0, shocked * discount, shocked) - mark
    linear = legs.perp * legs.underlying.perp + base_value
    return np.asarray(by_expiry.sum(axis=1) + linear * (spot - 1.0))


def _contingencies(legs: Book, base: float, parameters: Mapping[str, Any]) -> tuple[dict[str, float], float]:
    """Static contingencies, and the charge of low confidence."""
    spot = legs.underlying.spot
    shorts = derive_scenarios.naked_shorts(legs.options)
    static = {
        "perp": abs(legs.perp) * spot * parameters["perp"],
        "base": base * spot * parameters["base"],
        "option": shorts * spot * parameters["option"],
    }
    confidence = derive_scenarios.market_confidence(legs)
    linear = confidence_charge(confidence, (abs(legs.perp) + base) * spot, parameters)
    return static, linear + derive_scenarios.option_confidence_charge(legs, confidence, parameters)
