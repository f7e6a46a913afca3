"""The books that margin models are held against: archetypes of what people trade, and random ones.

Each is a recipe: legs in days to expiry and standard deviations from the forward, sized in shares of a fixed
notional in USD. Rebuilt on every day of a backtest, a book keeps its shape whatever the price is. Recipes and
sizes are fixed: no parameter of any model may be chosen by changing them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor, log10, sqrt
from random import Random
from typing import TypeVar

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Holding, Portfolio, Position
from keeper.pricing import black76

SECONDS_PER_DAY = 86_400
NOTIONAL = 100_000.0
TENORS = (1, 2, 3, 7, 14, 30, 60, 90, 180)
INITIAL_HAIRCUT, MAINTENANCE_HAIRCUT = 0.10, 0.05

_SEED = 20_200_811
_STRIKE_DIGITS = 4
_DEVIATIONS = (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
_SYMBOLS = ("BTC", "ETH", "SOL")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LegRecipe:
    """One leg.

    Attributes:
        share: of the notional, in coins at spot; positive long.
        days: to expiry, 0 of a perp.
        deviations: ln(strike / forward) in standard deviations at the money.
    """

    underlying: str
    kind: Kind
    share: float
    days: int = 0
    deviations: float = 0.0


@dataclass(frozen=True, slots=True)
class BookRecipe:
    """One book.

    Attributes:
        coins: (underlying, share of the notional) held as collateral.
        is_hedged: whether perps bring the delta of each underlying to zero.
    """

    name: str
    legs: tuple[LegRecipe, ...]
    coins: tuple[tuple[str, float], ...] = ()
    is_hedged: bool = False

    @property
    def underlyings(self) -> frozenset[str]:
        """Symbols that a market must have for this book."""
        return frozenset(leg.underlying for leg in self.legs)


def perp(symbol: str, share: float) -> LegRecipe:
    """A leg of a perpetual."""
    return LegRecipe(symbol, Kind.PERP, share)


def future(symbol: str, share: float, days: int) -> LegRecipe:
    """A leg of a dated future."""
    return LegRecipe(symbol, Kind.FUTURE, share, days)


def call(symbol: str, share: float, days: int, deviations: float = 0.0) -> LegRecipe:
    """A leg of a call."""
    return LegRecipe(symbol, Kind.CALL, share, days, deviations)


def put(symbol: str, share: float, days: int, deviations: float = 0.0) -> LegRecipe:
    """A leg of a put."""
    return LegRecipe(symbol, Kind.PUT, share, days, deviations)


def pair(symbol: str, share: float, days: int, deviations: float = 0.0) -> tuple[LegRecipe, LegRecipe]:
    """The legs of a straddle, or of a strangle that far out."""
    return put(symbol, share, days, -deviations), call(symbol, share, days, deviations)


def build(recipe: BookRecipe, market: MarketState, notional: float = NOTIONAL) -> Portfolio:
    """The book of a recipe in a market.

    Args:
        notional: USD.

    Raises:
        LookupError: an underlying or a tenor is not in the market.
    """
    positions = [_position(leg, market, notional) for leg in recipe.legs]
    if recipe.is_hedged:
        positions += _hedges(positions, market)
    coins = tuple(
        Holding(
            symbol, share * notional / market.underlying(symbol).spot, INITIAL_HAIRCUT, MAINTENANCE_HAIRCUT
        )
        for symbol, share in recipe.coins
    )
    return Portfolio(_netted(positions), collateral=coins, name=recipe.name)


def _position(leg: LegRecipe, market: MarketState, notional: float) -> Position:
    listed = market.underlying(leg.underlying)
    quantity = round(leg.share * notional / listed.spot, 8)
    if leg.kind == Kind.PERP:
        return Position(leg.underlying, leg.kind, quantity, entry=listed.perp)
    expiry = listed.expiry(market.timestamp + leg.days * SECONDS_PER_DAY)
    if leg.kind == Kind.FUTURE:
        return Position(leg.underlying, leg.kind, quantity, expiry=expiry.expiry, entry=expiry.forward)
    years = market.years(expiry.expiry)
    at_money = expiry.vol(expiry.forward, years)
    strike = expiry.forward * exp(leg.deviations * at_money * sqrt(years))
    return Position(leg.underlying, leg.kind, quantity, _listed(strike), expiry.expiry)


def _listed(strike: float) -> float:
    """To four digits, as strikes of listed options are round."""
    return round(strike, _STRIKE_DIGITS - 1 - floor(log10(strike)))


def _hedges(positions: Sequence[Position], market: MarketState) -> list[Position]:
    deltas: dict[str, float] = {}
    for position in positions:
        deltas[position.underlying] = deltas.get(position.underlying, 0.0) + _delta(position, market)
    return [
        Position(symbol, Kind.PERP, -round(delta, 8), entry=market.underlying(symbol).perp)
        for symbol, delta in deltas.items()
        if round(delta, 8)
    ]


def _delta(position: Position, market: MarketState) -> float:
    """Coins."""
    if not position.is_option:
        return position.quantity
    expiry = market.underlying(position.underlying).expiry(position.expiry)
    years = market.years(position.expiry)
    found = black76.greeks(
        is_call=position.kind == Kind.CALL,
        forward=expiry.forward,
        strike=position.strike,
        years=years,
        vol=expiry.vol(position.strike, years),
    )
    return position.quantity * float(found.delta)


def _netted(positions: Sequence[Position]) -> tuple[Position, ...]:
    """One position per instrument; nothing where legs cancel."""
    found: dict[tuple[str, Kind, float, int], Position] = {}
    for p in positions:
        key = (p.underlying, p.kind, p.strike, p.expiry)
        quantity = round(p.quantity + (found[key].quantity if key in found else 0.0), 8)
        found[key] = Position(p.underlying, p.kind, quantity, p.strike, p.expiry, p.entry)
    return tuple(p for p in found.values() if p.quantity)


def random_books(count: int = 50, seed: int = _SEED) -> tuple[BookRecipe, ...]:
    """Random recipes, the same for a seed on every machine. Sizes of a book's legs add up to two notionals.

    Three kinds in turn: options of one underlying; anything on anything; sellers of options, hedged by perps.
    """
    source = Random(seed)
    return tuple(_random_book(number, source) for number in range(1, count + 1))


def _random_book(number: int, source: Random) -> BookRecipe:
    kind = number % 3
    symbols = _SYMBOLS if kind == 1 else (_picked(_SYMBOLS, source),)
    legs = [_random_leg(_picked(symbols, source), kind, source) for _ in range(2 + int(source.random() * 7))]
    scale = 2.0 / sum(abs(leg.share) for leg in legs)
    sized = tuple(
        LegRecipe(x.underlying, x.kind, round(x.share * scale, 4), x.days, x.deviations) for x in legs
    )
    return BookRecipe(f"random {number:02d}", sized, is_hedged=kind == 2)


def _random_leg(symbol: str, kind: int, source: Random) -> LegRecipe:
    size = 0.2 + 0.8 * source.random()
    share = size if source.random() < (0.25 if kind == 2 else 0.5) else -size
    days = _picked(TENORS, source)
    draw = source.random()
    if kind == 1 and draw < 0.3:
        return perp(symbol, share) if draw < 0.2 else future(symbol, share, days)
    make = call if source.random() < 0.5 else put
    return make(symbol, share, days, _picked(_DEVIATIONS, source))


def _picked(values: Sequence[_T], source: Random) -> _T:
    return values[int(source.random() * len(values))]
