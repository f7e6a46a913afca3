"""A market and a portfolio in human units as the integers that the methodology takes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.moments import day_text
from keeper.portfolio.names import name_of
from keeper.portfolio.portfolio import Portfolio, Position
from keeper.presets.plimsoll_smile import Smile, smile_of
from keeper.pricing.market import ExpiryMarket, Market, UnderlyingMarket
from keeper.risk.collateral import Collateral
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.units.constants import BASIS_POINTS, MAX_PRICE, PRICE_UNIT, SETTLEMENT_WINDOW

_PRICE_SCALE = 10**8
# quantities are multiples of 1e-8 coins
_QUANTITY_SCALE = 10**8
_PLAIN = (0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Converted:
    """What the methodology computes with.

    Attributes:
        ids: of the symbols in use; those the methodology does not name follow after its own, and take its
            `other` parameters.
        smiles: of the expiries with options, by symbol and unix seconds.
    """

    market: Market
    ids: Mapping[str, int]
    smiles: Mapping[tuple[str, int], Smile]


def convert(portfolios: Sequence[Portfolio], market: MarketState, methodology: Methodology) -> Converted:
    """The part of the market that portfolios touch, as integers: prices in 1e-8 USD, confidences and scales
    in parts per million. An underlying is as certain as the least certain of its spot and the expiries held.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
        ValueError: a number does not fit the protocol's bounds.
    """
    positions = [position for portfolio in portfolios for position in portfolio.positions]
    held = {holding.asset for portfolio in portfolios for holding in portfolio.collateral}
    # an empty portfolio is margined too, on whatever the market has
    used = held | {position.underlying for position in positions} or set(market.underlyings)
    ids = underlying_ids(used, methodology)
    smiles = _smiles(positions, market)
    underlyings = tuple(
        _underlying(market.underlying(symbol), ids[symbol], positions, market.timestamp, smiles)
        for symbol in sorted(used, key=ids.__getitem__)
    )
    settlement_price = round(market.settlement_price * _PRICE_SCALE)
    return Converted(Market(market.timestamp, underlyings, settlement_price), ids, smiles)


def collateral_of(portfolio: Portfolio, ids: Mapping[str, int]) -> tuple[Collateral, ...]:
    """Collateral in WAD, haircuts in basis points. Raises ValueError beyond eight tokens."""
    return tuple(
        Collateral(
            index=i,
            underlying=ids[h.asset],
            initial_haircut=round(h.initial_haircut * BASIS_POINTS),
            maintenance_haircut=round(h.maintenance_haircut * BASIS_POINTS),
            amount=_quantity(h.amount),
        )
        for i, h in enumerate(portfolio.collateral, start=1)
    )


def underlying_ids(symbols: Iterable[str], methodology: Methodology) -> dict[str, int]:
    """Ids of symbols: the methodology's own, then the others in alphabetical order."""
    named = {u.symbol: u.underlying for u in methodology.underlyings}
    ids = {symbol: named[symbol] for symbol in symbols if symbol in named}
    first = max(named.values(), default=0) + 1
    unknown = sorted(set(symbols) - set(named))
    return {**ids, **{symbol: first + i for i, symbol in enumerate(unknown)}}


def _instrument(position: Position, ids: Mapping[str, int]) -> Instrument:
    """The instrument of a position. Raises ValueError when a field does not fit."""
    strike = _price8(position.strike, name_of(position))
    instrument = Instrument(ids[position.underlying], position.expiry, strike, position.kind)
    instrument.require_valid()
    return instrument


def legs_of(portfolio: Portfolio, ids: Mapping[str, int]) -> tuple[Leg, ...]:
    """One leg per instrument, ascending, in multiples of 1e-8 coins, none empty."""
    quantities: dict[int, int] = {}
    for position in portfolio.positions:
        packed = _instrument(position, ids).pack()
        quantities[packed] = quantities.get(packed, 0) + _quantity(position.quantity)
    return tuple(Leg(packed, quantities[packed]) for packed in sorted(quantities) if quantities[packed])


def _price8(price: float, of: str) -> int:
    """1e-8 USD. Raises ValueError beyond what the protocol can state."""
    if not 0.0 <= price * _PRICE_SCALE <= MAX_PRICE:
        raise ValueError(f"plimsoll: {of}: {price:g} USD is beyond {MAX_PRICE / _PRICE_SCALE:,.0f} USD")
    return round(price * _PRICE_SCALE)


def _quantity(coins: float) -> int:
    """WAD."""
    return round(coins * _QUANTITY_SCALE) * PRICE_UNIT


def _smiles(positions: Iterable[Position], market: MarketState) -> dict[tuple[str, int], Smile]:
    """Of the expiries in which options are held; futures need none."""
    held = sorted({(p.underlying, p.expiry) for p in positions if p.kind >= Kind.CALL})
    return {
        (symbol, expiry): smile_of(market.underlying(symbol).expiry(expiry), market.years(expiry))
        for symbol, expiry in held
        if expiry > market.timestamp
    }


def _underlying(
    underlying: Underlying,
    number: int,
    positions: Iterable[Position],
    timestamp: int,
    smiles: Mapping[tuple[str, int], Smile],
) -> UnderlyingMarket:
    spot = _price8(underlying.spot, underlying.symbol)
    held = sorted({p.expiry for p in positions if p.underlying == underlying.symbol and p.expiry})
    expiries = []
    for expiry in held:
        smile = smiles.get((underlying.symbol, expiry))
        svi = smile.slice.quantise() if smile else _PLAIN
        expiries.append(_expiry(underlying.expiry(expiry), timestamp, svi))
    confidences = [underlying.confidence, *(underlying.expiries[expiry].confidence for expiry in held)]
    return UnderlyingMarket(
        underlying=number,
        posted=spot,
        effective=spot,
        expiries=tuple(expiries),
        volatility_scale_ppm=round(underlying.volatility_scale * PPM),
        confidence_ppm=int(min(confidences) * PPM),
    )


def _expiry(listed: Expiry, timestamp: int, svi: tuple[int, int, int, int, int]) -> ExpiryMarket:
    """An expiry with its average so far: the integral of a constant price at which its fixed part is what it
    is.
    """
    left = listed.expiry - timestamp
    covered = min(SETTLEMENT_WINDOW - left, SETTLEMENT_WINDOW) if left < SETTLEMENT_WINDOW else 0
    if left > 0 and listed.fixed == 0.0:
        covered = 0
    fixed = listed.forward if left <= 0 else listed.fixed
    share = (SETTLEMENT_WINDOW - covered) / SETTLEMENT_WINDOW
    live = (listed.forward - fixed) / share if share else listed.forward
    total = round(2 * fixed * SETTLEMENT_WINDOW * _PRICE_SCALE) if covered else 0
    return ExpiryMarket(listed.expiry, _price8(live, day_text(listed.expiry)), svi, total, covered)
