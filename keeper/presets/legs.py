"""One underlying's positions as arrays, netted by instrument: what the presets compute with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Portfolio
from keeper.pricing import black76

Floats = npt.NDArray[np.float64]
VolOf = Callable[[Expiry, float, float], float]


@dataclass(frozen=True)
class Options:
    """Options of one underlying in the order of their expiries; every array has one entry per instrument.

    Attributes:
        quantity: coins, signed.
        fixed, variable: parts of the forward; only the variable part moves with the spot.
        expiries: expiries held; starts: index of each one's first option.
    """

    is_call: npt.NDArray[np.bool_]
    strike: Floats
    quantity: Floats
    years: Floats
    fixed: Floats
    variable: Floats
    discount: Floats
    vol: Floats
    expiries: tuple[Expiry, ...]
    starts: npt.NDArray[np.int64]

    @property
    def forward(self) -> Floats:
        """Forwards, one per option."""
        return self.fixed + self.variable

    def price(self, spot_factor: npt.ArrayLike, vol: Floats) -> Floats:
        """Unit values, USD: the forward's variable part times `spot_factor`, at `vol`.

        Args:
            spot_factor: broadcasts against the options in the last axis.
            vol: same.
        """
        return black76.price(
            is_call=self.is_call,
            forward=self.fixed + self.variable * np.asarray(spot_factor),
            strike=self.strike,
            years=self.years,
            vol=vol,
            discount=self.discount,
        )

    def by_expiry(self, values: Floats) -> Floats:
        """Sums over the options of each expiry, in the last axis."""
        if not self.expiries:
            return np.zeros((*values.shape[:-1], 0))
        return np.asarray(np.add.reduceat(values, self.starts, axis=-1))

    def of_expiry(self, index: int) -> slice:
        """The options of one expiry."""
        following = [*self.starts[1:].tolist(), len(self.strike)]
        return slice(int(self.starts[index]), following[index])


@dataclass(frozen=True)
class Book:
    """One underlying's part of a portfolio.

    Attributes:
        perp: coins of the perpetual; futures: coins by expiry; both netted.
        unrealised: profit since entry of perps and futures, USD.
    """

    underlying: Underlying
    perp: float
    futures: dict[int, float]
    unrealised: float
    options: Options


def book(
    portfolio: Portfolio,
    market: MarketState,
    symbol: str,
    vol_of: VolOf = Expiry.vol,
    discount_of: Callable[[Expiry, float], float] | None = None,
) -> Book:
    """The positions of `portfolio` in one underlying.

    Args:
        vol_of: vol of (expiry, strike, years).
        discount_of: value today of 1 USD at (expiry, years); None: no discounting.

    Raises:
        LookupError: the market lacks the underlying, an expiry or its vols.
    """
    underlying = market.underlying(symbol)
    perp, unrealised = 0.0, 0.0
    futures: dict[int, float] = {}
    options: dict[tuple[int, float, bool], float] = {}
    for x in portfolio.positions:
        if x.underlying != symbol:
            continue
        if x.is_option:
            key = (x.expiry, x.strike, x.kind == Kind.CALL)
            options[key] = options.get(key, 0.0) + x.quantity
            continue
        if x.kind == Kind.PERP:
            perp += x.quantity
            price = underlying.perp
        else:
            futures[x.expiry] = futures.get(x.expiry, 0.0) + x.quantity
            price = underlying.expiry(x.expiry).forward
        if x.entry is not None:
            unrealised += x.quantity * (price - x.entry)
    return Book(
        underlying, perp, futures, unrealised, _options(options, underlying, market, vol_of, discount_of)
    )


def symbols(portfolio: Portfolio) -> list[str]:
    """Underlyings with positions, sorted."""
    return sorted({x.underlying for x in portfolio.positions})


def _options(
    held: dict[tuple[int, float, bool], float],
    underlying: Underlying,
    market: MarketState,
    vol_of: VolOf,
    discount_of: Callable[[Expiry, float], float] | None,
) -> Options:
    keys = sorted(x for x, quantity in held.items() if quantity != 0.0)
    expiries = tuple(underlying.expiry(x) for x in sorted({k[0] for k in keys}))
    years = {x.expiry: market.years(x.expiry) for x in expiries}
    at = {x.expiry: x for x in expiries}
    # an expired option is worth its payoff, whatever the vol
    vols = [vol_of(at[e], strike, years[e]) if years[e] > 0.0 else 0.0 for e, strike, _ in keys]
    discounts = {x.expiry: discount_of(x, years[x.expiry]) if discount_of else 1.0 for x in expiries}
    dates = [k[0] for k in keys]
    return Options(
        is_call=np.array([k[2] for k in keys], dtype=np.bool_),
        strike=np.array([k[1] for k in keys], dtype=np.float64),
        quantity=np.array([held[k] for k in keys], dtype=np.float64),
        years=np.array([years[e] for e in dates], dtype=np.float64),
        fixed=np.array([at[e].fixed for e in dates], dtype=np.float64),
        variable=np.array([at[e].forward - at[e].fixed for e in dates], dtype=np.float64),
        discount=np.array([discounts[e] for e in dates], dtype=np.float64),
        vol=np.array(vols, dtype=np.float64),
        expiries=expiries,
        starts=np.array([dates.index(x.expiry) for x in expiries], dtype=np.int64),
    )
