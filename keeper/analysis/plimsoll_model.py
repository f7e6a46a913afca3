"""Our methodology on many portfolios of one market: one re-priced table for all of them, as in an epoch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from keeper.analysis.regime import Regimes
from keeper.analysis.requirement_buffer import Buffer
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Holding, Portfolio
from keeper.presets import plimsoll
from keeper.presets.plimsoll_market import convert
from keeper.pricing.market import Market
from keeper.risk.margin import RiskTable, account_margin, build_table
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.units.constants import WAD


def methodology_of(overrides: Mapping[str, Any]) -> Methodology:
    """The shipped methodology with parameters replaced."""
    return Methodology.from_json(json.dumps(plimsoll.load_parameters(overrides)))


@dataclass(frozen=True)
class PlimsollModel:
    """Our methodology with the scenario sets and regimes of each day."""

    name: str
    regimes: Regimes

    def buffers(self, portfolios: Sequence[Portfolio], market: MarketState, day: date) -> list[Buffer | None]:
        """See `keeper.analysis.models.Model`."""
        methodology = self.regimes.methodology_on(day)
        table = table_of(portfolios, market, methodology)
        return [_buffer(portfolio, market, table) for portfolio in portfolios]


def table_of(portfolios: Sequence[Portfolio], market: MarketState, methodology: Methodology) -> RiskTable:
    """Everything that the portfolios hold, re-priced in every scenario."""
    positions = tuple(p for x in portfolios for p in x.positions)
    assets = sorted({h.asset for x in portfolios for h in x.collateral})
    everything = Portfolio(positions, collateral=tuple(Holding(asset, 1.0) for asset in assets))
    converted = convert(everything, market, methodology)
    instruments = {leg.instrument for x in portfolios for leg in convert(x, market, methodology).legs}
    scaled = _scaled(converted.market, {u: s for s, u in converted.ids.items()}, market)
    return build_table(scaled, methodology, instruments)


def _scaled(market: Market, symbols: Mapping[int, str], state: MarketState) -> Market:
    """With the volatility regimes of the state."""
    return replace(
        market,
        underlyings=tuple(
            replace(
                u, volatility_scale_ppm=round(state.underlying(symbols[u.underlying]).volatility_scale * PPM)
            )
            for u in market.underlyings
        ),
    )


def _buffer(portfolio: Portfolio, market: MarketState, table: RiskTable) -> Buffer:
    """Requirements with the haircuts of the coins, held at the worst loss of the book."""
    converted = convert(portfolio, market, table.methodology)
    margin = account_margin(converted.legs, table, portfolio.tier, converted.collateral)
    worst = plimsoll.worst_case(converted.legs, table.market)
    most = None if worst is None else max(margin.mark - worst, 0)
    initial, maintenance = (
        (needed if most is None else min(needed, most)) / WAD
        for needed in (margin.initial, margin.maintenance)
    )
    values = [(h, h.amount * market.underlying(h.asset).spot) for h in portfolio.collateral]
    return Buffer(
        initial + sum(h.initial_haircut * value for h, value in values),
        maintenance + sum(h.maintenance_haircut * value for h, value in values),
    )
