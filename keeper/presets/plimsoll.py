"""Our own methodology on a portfolio in human units.

What the chain's leaves hold, in USD: quantities in 1e-8 coins, prices in 1e-8 USD, smiles as raw SVI. Perps
are margined at the spot; their profit since entry is taken at their mark price, which on-chain is the spot.
The haircuts of collateral are part of the requirement; the margin gives back those of coins that hedge the
book. A book whose losses are bounded never needs more than the worst of them, which the chain applies last.
Only what is held is re-priced: alone, the scan visits the strikes of one book, an epoch those of every book.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.moments import day_text
from keeper.portfolio.portfolio import MarginMode, Portfolio, Position
from keeper.presets.parameters import merge
from keeper.presets.plimsoll_market import Converted, collateral_of, convert, legs_of
from keeper.presets.plimsoll_pockets import PocketMargin, pocket_name, pockets_of
from keeper.presets.requirement import Requirement
from keeper.risk.margin import RiskTable, build_table
from keeper.risk.methodology import Methodology
from keeper.units.constants import PRICE_UNIT, WAD

NAME = "plimsoll"


def load_parameters(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The methodology's parameter file with a user's parameters laid over it.

    Raises:
        LookupError: an unknown parameter.
        ValueError: a parameter of the wrong type.
    """
    shipped = json.loads((files("keeper.risk") / "default_methodology.json").read_text(encoding="utf-8"))
    return merge(shipped, overrides or {}, NAME)


def evaluate(portfolio: Portfolio, market: MarketState, parameters: Mapping[str, Any]) -> Requirement:
    """Requirement of a portfolio under the methodology with these parameters.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
        ValueError: a parameter is out of range, or a number does not fit the protocol's bounds.
        OverflowError: a position is too large to be margined.
    """
    return requirement(portfolio, market, _methodology(json.dumps(parameters, sort_keys=True)))


def requirement(portfolio: Portfolio, market: MarketState, methodology: Methodology) -> Requirement:
    """Requirement of a portfolio. Raises as `evaluate`."""
    return requirements([portfolio], market, methodology)[0]


def requirements(
    portfolios: Sequence[Portfolio], market: MarketState, methodology: Methodology
) -> list[Requirement]:
    """Requirements of many portfolios in one market, in order: as in an epoch they share the scenarios, so
    that the scan of each also visits the strikes of the others. Raises as `evaluate`.
    """
    converted = convert(portfolios, market, methodology)
    books = [legs_of(portfolio, converted.ids) for portfolio in portfolios]
    table = build_table(converted.market, methodology, {leg.instrument for legs in books for leg in legs})
    return [
        _requirement(portfolio, legs, market, converted, table)
        for portfolio, legs in zip(portfolios, books, strict=True)
    ]


def _requirement(
    portfolio: Portfolio, legs: Sequence[Leg], market: MarketState, converted: Converted, table: RiskTable
) -> Requirement:
    mode, collateral = portfolio.margin_mode, collateral_of(portfolio, converted.ids)
    pockets = pockets_of(legs, table, mode, portfolio.tier, collateral)
    value = {h.asset: h.amount * market.underlying(h.asset).spot for h in portfolio.collateral}
    haircuts = {
        "initial": sum(value[h.asset] * h.initial_haircut for h in portfolio.collateral),
        "maintenance": sum(value[h.asset] * h.maintenance_haircut for h in portfolio.collateral),
    }
    mark = _mark(portfolio, legs, market, sum(pocket.margin.mark for pocket in pockets.values()), table)
    return Requirement(
        model=NAME,
        mark=mark,
        equity=portfolio.cash + portfolio.unsettled + mark + sum(value.values()),
        initial=sum(pocket.initial for pocket in pockets.values()) + haircuts["initial"],
        maintenance=sum(pocket.maintenance for pocket in pockets.values()) + haircuts["maintenance"],
        breakdown={
            "margin_mode": str(mode),
            **_details(pockets, converted, table.methodology, mode),
            "haircuts": haircuts,
            "smiles": _smile_details(portfolio, converted),
        },
    )


def _details(
    pockets: Mapping[tuple[int, int], PocketMargin],
    converted: Converted,
    methodology: Methodology,
    mode: MarginMode,
) -> dict[str, Any]:
    """The breakdown of the whole account; of an isolated one by pocket, under `pockets`."""
    symbols = {number: symbol for symbol, number in converted.ids.items()}
    if mode is MarginMode.CROSS:
        return pockets[0, 0].detail(symbols, methodology)
    details = {
        pocket_name(key, symbols): pocket.detail(symbols, methodology) for key, pocket in pockets.items()
    }
    return {"pockets": details}


def _smile_details(portfolio: Portfolio, converted: Converted) -> dict[str, Any]:
    held = {(p.underlying, p.expiry) for p in portfolio.positions if p.is_option}
    return {
        f"{symbol}-{day_text(expiry)}": smile.detail()
        for (symbol, expiry), smile in converted.smiles.items()
        if (symbol, expiry) in held
    }


@lru_cache(maxsize=16)
def _methodology(text: str) -> Methodology:
    return Methodology.from_json(text)


def _mark(
    portfolio: Portfolio, legs: Sequence[Leg], market: MarketState, full: int, table: RiskTable
) -> float:
    """Options at their marks, perps and futures at their profit since entry; `full` counts those at their
    price, WAD.
    """
    linear = sum(
        leg.quantity * table.marks[leg.instrument] * PRICE_UNIT // WAD
        for leg in legs
        if Instrument.unpack(leg.instrument).kind <= Kind.FUTURE
    )
    profit = sum(
        p.quantity * (_price(p, market) - p.entry) for p in portfolio.positions if p.entry is not None
    )
    return (full - linear) / WAD + profit


def _price(position: Position, market: MarketState) -> float:
    """Of a perp or future, USD."""
    underlying = market.underlying(position.underlying)
    return underlying.expiry(position.expiry).forward if position.expiry else underlying.perp
