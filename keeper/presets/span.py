"""SPAN, the Standard Portfolio Analysis of Risk of CME.

Every underlying is a combined commodity:

    risk = max(scan risk + calendar charge - inter-commodity credit, short option minimum)

Scan risk is the largest loss in sixteen scenarios. Since those move all expiries alike, offsetting deltas of
different expiries pay a calendar charge per coin spread. Offsetting deltas of two commodities earn a credit:
its rate times the coins spread times the weighted price risk, which is the scan risk less its part from vol
and time, per coin of net delta. Net option value is in `Requirement.equity`, so the risk is the maintenance
requirement; the initial one is `initial_factor` times that. Perpetuals and futures have linear arrays.

A clearing house publishes risk arrays and parameters every day: `risk_arrays` takes arrays by instrument
name, everything else is computed by Black-76. Collateral takes a haircut and hedges nothing. There is no
spot-month charge, for nothing here is delivered. The weights of the composite delta are the ones commonly
quoted; they matter to calendar charges and credits alone.
`spreads` lists inter-commodity spreads by priority: {"legs": {"BTC": 1, "ETH": 20}, "credit": 0.5}.

Source: CME, "CME SPAN: Standard Portfolio Analysis of Risk" and "Components of SPAN".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.presets import span_arrays
from keeper.presets.legs import Book, Floats, book, symbols
from keeper.presets.parameters import entry
from keeper.presets.requirement import Requirement

NAME = "span"


@dataclass
class _Commodity:
    """One underlying. `losses` of the sixteen scenarios; `delta` is what is left to spread, coins."""

    losses: Floats
    deltas: dict[int, float]
    calendar: float
    minimum: float
    option_value: float
    unrealised: float
    delta: float = 0.0
    credit: float = 0.0

    @property
    def scenario(self) -> int:
        """Active scenario, from 0: the first of the largest losses."""
        return int(np.argmax(self.losses))

    @property
    def scan(self) -> float:
        return max(float(self.losses[self.scenario]), 0.0)

    @property
    def price_risk(self) -> float:
        """Scan risk at the average of both vols, less the loss from time alone."""
        at = self.scenario
        pair = at if at >= span_arrays.SCENARIOS - 2 else at ^ 1
        return 0.5 * float(self.losses[at] + self.losses[pair]) - 0.5 * float(self.losses[0] + self.losses[1])

    @property
    def risk(self) -> float:
        return max(self.scan + self.calendar - self.credit, self.minimum)


def evaluate(portfolio: Portfolio, market: MarketState, parameters: Mapping[str, Any]) -> Requirement:
    """Requirement of a portfolio, USD.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
        ValueError: a given risk array of the wrong length.
    """
    found = {x: _commodity(book(portfolio, market, x), parameters) for x in symbols(portfolio)}
    spreads = _credit_spreads(found, parameters["spreads"])
    mark = sum(x.option_value + x.unrealised for x in found.values()) + portfolio.unsettled
    values = {
        x.asset: x.amount * market.underlying(x.asset).spot / market.settlement_price
        for x in portfolio.collateral
    }
    haircuts = sum(v * entry(parameters["haircut"], x) for x, v in values.items())
    risk = sum(x.risk for x in found.values())
    return Requirement(
        model=NAME,
        mark=mark,
        equity=portfolio.cash + mark + sum(values.values()),
        initial=risk * parameters["initial_factor"] + haircuts,
        maintenance=risk + haircuts,
        breakdown={
            "commodities": {k: _detail(x) for k, x in found.items()},
            "spreads": spreads,
            "haircuts": haircuts,
        },
    )


def _commodity(legs: Book, parameters: Mapping[str, Any]) -> _Commodity:
    symbol, table = legs.underlying.symbol, entry(parameters["commodity"], legs.underlying.symbol)
    options, given = legs.options, parameters["risk_arrays"]
    arrays, unit_deltas = span_arrays.option_arrays(options, parameters, table)
    arrays, unit_deltas = span_arrays.given(legs, arrays, unit_deltas, given)
    pnl = (arrays * options.quantity).sum(axis=1)
    linear = span_arrays.price_moves(parameters, table["price_scan_range"]) * span_arrays.fractions(
        parameters
    )
    futures = {0: (legs.perp, legs.underlying.perp)} | {
        x: (q, legs.underlying.expiry(x).forward) for x, q in legs.futures.items()
    }
    deltas: dict[int, float] = {}
    for expiry, (quantity, price) in futures.items():
        kind = Kind.FUTURE if expiry else Kind.PERP
        array = span_arrays.lookup(Position(symbol, kind, 1.0, expiry=expiry), given)
        pnl = pnl + quantity * (linear * price if array is None else np.array(array[: span_arrays.SCENARIOS]))
        deltas[expiry] = quantity
    for x, delta in zip(options.expiries, options.by_expiry(unit_deltas * options.quantity), strict=True):
        deltas[x.expiry] = deltas.get(x.expiry, 0.0) + float(delta)
    shorts = float(np.maximum(-options.quantity, 0.0).sum())
    return _Commodity(
        losses=-pnl,
        deltas=deltas,
        calendar=_spread(deltas) * table["calendar_charge"] * legs.underlying.spot,
        minimum=shorts * table["short_option_minimum"] * legs.underlying.spot,
        option_value=float((options.price(1.0, options.vol) * options.quantity).sum()),
        unrealised=legs.unrealised,
        delta=sum(deltas.values()),
    )


def _spread(deltas: Mapping[int, float]) -> float:
    """Coins long in some expiries against coins short in others."""
    long = sum(max(x, 0.0) for x in deltas.values())
    return min(long, long - sum(deltas.values()))


def _credit_spreads(
    found: Mapping[str, _Commodity], spreads: list[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Spreads formed in their order of priority: each uses up deltas of opposite sides."""
    weights = {k: x.price_risk / abs(x.delta) if x.delta else 0.0 for k, x in found.items()}
    formed = []
    for spread in spreads:
        (one, first), (two, second) = _legs(spread)
        if one not in found or two not in found or found[one].delta * found[two].delta >= 0.0:
            continue
        count = min(abs(found[one].delta) / first, abs(found[two].delta) / second)
        credits = {}
        for symbol, ratio in ((one, first), (two, second)):
            commodity = found[symbol]
            credits[symbol] = spread["credit"] * count * ratio * max(weights[symbol], 0.0)
            commodity.credit += credits[symbol]
            commodity.delta -= np.sign(commodity.delta) * count * ratio
        formed.append({"legs": dict(spread["legs"]), "spreads": count, "credits": credits})
    return formed


def _legs(spread: Mapping[str, Any]) -> list[tuple[str, float]]:
    legs = list(spread.get("legs", {}).items())
    if len(legs) != 2 or "credit" not in spread:
        raise ValueError(f"{NAME}: a spread needs legs of two commodities and a credit, not {dict(spread)}")
    return legs


def _detail(x: _Commodity) -> dict[str, Any]:
    return {
        "scan_risk": x.scan,
        "active_scenario": x.scenario + 1,
        "calendar_charge": x.calendar,
        "inter_commodity_credit": x.credit,
        "short_option_minimum": x.minimum,
        "risk": x.risk,
        "net_option_value": x.option_value,
        "composite_delta": sum(x.deltas.values()),
        "losses": x.losses.tolist(),
    }
