"""Markets of a day of history, and what positions are worth in them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from keeper.analysis.history import PriceHistory
from keeper.analysis.volatility_model import DAYS_PER_YEAR, SurfacePath, surface_paths
from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.pricing import black76
from keeper.pricing.kernels import Floats
from keeper.sources.prices import DAY

Contract = tuple[str, Kind, float, int]


class MarketHistory:
    """Prices as recorded, surfaces as modelled."""

    def __init__(self, history: PriceHistory, paths: Mapping[str, SurfacePath] | None = None) -> None:
        self.history = history
        self._paths = surface_paths(history) if paths is None else paths

    def market(
        self, index: int, expiries: Iterable[int], scales: Mapping[str, float] | None = None
    ) -> MarketState:
        """The market at a close.

        Args:
            expiries: unix seconds; those that have passed are left out.
            scales: vol regimes by symbol.
        """
        now = self.history.close_time(index)
        ahead = sorted(e for e in set(expiries) if e > now)
        listed = {
            symbol: self._underlying(symbol, index, now, ahead, (scales or {}).get(symbol, 1.0))
            for symbol in self.history.listed(index)
        }
        return MarketState(now, listed)

    def _underlying(
        self, symbol: str, index: int, now: int, expiries: Sequence[int], scale: float
    ) -> Underlying:
        spot = float(self.history.closes[index, self.history.symbols.index(symbol)])
        path = self._paths[symbol]
        found = {}
        for expiry in expiries:
            years = (expiry - now) / DAY / DAYS_PER_YEAR
            forward = spot * float(np.exp(path.carry[index] * years))
            found[expiry] = Expiry(expiry, forward, smile=path.smile(index, years))
        return Underlying(symbol, spot, spot, found, volatility_scale=scale)


def contract_of(position: Position) -> Contract:
    """What two positions of the same instrument share."""
    return position.underlying, position.kind, position.strike, position.expiry


def contract_values(contracts: Sequence[Contract], market: MarketState) -> Floats:
    """USD per coin; expired contracts pay on the spot of the moment.

    Raises:
        LookupError: an underlying or an expiry is not in the market.
    """
    values = np.empty(len(contracts))
    options = []
    for i, (symbol, kind, strike, expiry) in enumerate(contracts):
        listed = market.underlying(symbol)
        if kind >= Kind.CALL and expiry > market.timestamp:
            options.append(i)
        elif kind >= Kind.CALL:
            values[i] = max(listed.spot - strike if kind == Kind.CALL else strike - listed.spot, 0.0)
        elif kind == Kind.PERP:
            values[i] = listed.perp
        else:
            values[i] = listed.expiry(expiry).forward if expiry > market.timestamp else listed.spot
    if options:
        values[options] = _option_values([contracts[i] for i in options], market)
    return values


def _option_values(contracts: Sequence[Contract], market: MarketState) -> Floats:
    rows = []
    for symbol, kind, strike, expiry in contracts:
        terms, years = market.underlying(symbol).expiry(expiry), market.years(expiry)
        vol = terms.vol(strike, years)
        rows.append((kind == Kind.CALL, terms.forward, strike, years, vol, market.discount(terms)))
    is_call, forward, strikes, years_, vols, discount = (np.array(x) for x in zip(*rows, strict=True))
    return black76.price(
        is_call=is_call, forward=forward, strike=strikes, years=years_, vol=vols, discount=discount
    )


def profits(portfolios: Sequence[Portfolio], before: MarketState, after: MarketState) -> Floats:
    """Profit and loss of whole portfolios from one market to another, USD; coins count in full."""
    contracts = sorted({contract_of(p) for x in portfolios for p in x.positions})
    row = {contract: i for i, contract in enumerate(contracts)}
    change = contract_values(contracts, after) - contract_values(contracts, before)
    result = np.zeros(len(portfolios))
    for i, portfolio in enumerate(portfolios):
        result[i] = sum(p.quantity * change[row[contract_of(p)]] for p in portfolio.positions)
        result[i] += sum(
            h.amount * (after.underlying(h.asset).spot - before.underlying(h.asset).spot)
            for h in portfolio.collateral
        )
    return result


def net_value(portfolio: Portfolio, mark: float, market: MarketState) -> float:
    """What the account would be worth: cash, mark and coins in full, USD.

    Args:
        mark: of the positions.
    """
    coins = sum(h.amount * market.underlying(h.asset).spot for h in portfolio.collateral)
    return portfolio.cash + mark + coins
