"""A small but true margin: linear marks, a scan over a few prices, all in exact integers.

An option is marked as the mean of its payoffs a fifth below and above the forward, which is a price under a
measure with that forward, hence inside every no-arbitrage bracket. The margin is the worst loss against the
mark over the scenario prices, per underlying: subadditive and homogeneous, so bounds built on subadditivity
can be checked with it. Coins held as collateral may be pledged to the book as spot, without their haircut, as
far as that lowers the margin.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import ceil

from keeper.markets.instrument import Instrument, Kind

SCENARIOS = (60, 80, 100, 120, 140)  # per cent of the spot
SPREAD = 5  # the two prices of an option's mark lie 1/5 of the forward apart from it
MAINTENANCE = Fraction(4, 5)  # of the initial margin
PRICE_UNIT = 10**10
WAD = 10**18
BASIS_POINTS = 10_000


@dataclass(frozen=True)
class Market:
    """Spots (1e-8 USD) per underlying, forwards where they differ from the spot, and which expiries are
    over: their legs are worth their payoff and carry no risk.
    """

    spots: Mapping[int, int]
    forwards: Mapping[tuple[int, int], int]
    over: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def forward(self, instrument: Instrument) -> int:
        return self.forwards.get(
            (instrument.underlying, instrument.expiry), self.spots[instrument.underlying]
        )

    def is_over(self, instrument: Instrument) -> bool:
        return (instrument.underlying, instrument.expiry) in self.over


@dataclass(frozen=True)
class Coins:
    """Collateral of one underlying: amount WAD, haircuts basis points."""

    underlying: int
    amount: int
    initial_haircut: int
    maintenance_haircut: int


@dataclass(frozen=True)
class BookMargin:
    mark: int
    initial: int
    maintenance: int


def payoff(instrument: Instrument, price8: int) -> int:
    """Cash of one unit at `price8`, WAD; a perp is worth its price."""
    if instrument.kind == Kind.CALL:
        return max(0, price8 - instrument.strike) * PRICE_UNIT
    if instrument.kind == Kind.PUT:
        return max(0, instrument.strike - price8) * PRICE_UNIT
    return price8 * PRICE_UNIT


def mark(instrument: Instrument, market: Market) -> int:
    """Mark of one unit, WAD, exact."""
    forward = market.forward(instrument)
    if market.is_over(instrument):
        return payoff(instrument, forward)
    distance = forward // SPREAD
    below, above = payoff(instrument, forward - distance), payoff(instrument, forward + distance)
    return (below + above) // 2


def loss(instrument: Instrument, market: Market, scenario: int) -> int:
    """What one unit long loses against its mark when the price is `scenario` per cent of the spot."""
    if market.is_over(instrument):
        return 0
    price8 = market.spots[instrument.underlying] * scenario // 100
    return mark(instrument, market) - payoff(instrument, price8)


def book_margin(positions: Mapping[int, int], market: Market, collateral: Sequence[Coins] = ()) -> BookMargin:
    """Mark and margins of a book, WAD; margins rounded up."""
    legs = [(Instrument.unpack(i), q) for i, q in sorted(positions.items())]
    marked = Fraction(sum(q * mark(i, market) for i, q in legs), WAD)
    initial = maintenance = Fraction(0)
    for underlying in sorted({i.underlying for i, _ in legs}):
        losses = _losses(legs, underlying, market)
        coins = [c for c in collateral if c.underlying == underlying]
        initial += _least(losses, coins, market, Fraction(1), [c.initial_haircut for c in coins])
        maintenance += _least(losses, coins, market, MAINTENANCE, [c.maintenance_haircut for c in coins])
    return BookMargin(int(marked), ceil(max(0, initial)), ceil(max(0, maintenance)))


def unit_margins(instrument: Instrument, market: Market) -> tuple[int, int]:
    """Stand-alone initial margin of one unit, long and short."""
    losses = [loss(instrument, market, s) for s in SCENARIOS]
    return max(0, *losses), max(0, *(-x for x in losses))


def _losses(legs: Iterable[tuple[Instrument, int]], underlying: int, market: Market) -> list[Fraction]:
    """Of all legs of an underlying, per scenario."""
    mine = [(i, q) for i, q in legs if i.underlying == underlying]
    return [Fraction(sum(q * loss(i, market, s) for i, q in mine), WAD) for s in SCENARIOS]


def _least(
    losses: Sequence[Fraction],
    coins: Sequence[Coins],
    market: Market,
    scale: Fraction,
    haircuts: Sequence[int],
) -> Fraction:
    """Least margin over every number of coins pledged: where convex and piecewise linear, at a knot."""
    if not coins:
        return scale * max(Fraction(0), *losses)
    ((one,), (haircut,)) = coins, haircuts
    spot = market.spots[one.underlying] * PRICE_UNIT
    slopes = [Fraction(spot * (100 - s), 100) for s in SCENARIOS]
    given_back = Fraction(spot * haircut, BASIS_POINTS)
    lines = [*zip(losses, slopes, strict=True), (Fraction(0), Fraction(0))]
    most = Fraction(one.amount, WAD)
    crossings = [(b[0] - a[0]) / (a[1] - b[1]) for a, b in combinations(lines, 2) if a[1] != b[1]]
    knots = {Fraction(0), most, *(x for x in crossings if 0 < x < most)}
    return min(scale * max(at + x * slope for at, slope in lines) - x * given_back for x in knots)
