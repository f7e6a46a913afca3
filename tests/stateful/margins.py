"""A small but true margin: linear marks, a scan over a few prices, all in exact integers.

An option is marked as the mean of its payoffs a fifth below and above the forward, which is a price under a
measure with that forward, hence inside every no-arbitrage bracket. The margin is the worst loss against the
mark over the scenario prices, per underlying: subadditive and homogeneous, so bounds built on subadditivity
can be checked with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from keeper.markets.instrument import Instrument, Kind

SCENARIOS = (60, 80, 100, 120, 140)  # per cent of the spot
SPREAD = 5  # the two prices of an option's mark lie 1/5 of the forward apart from it
PRICE_UNIT = 10**10
WAD = 10**18


@dataclass(frozen=True)
class Market:
    """Effective spots (1e-8 USD) per underlying, and forwards where they differ from the spot."""

    spots: Mapping[int, int]
    forwards: Mapping[tuple[int, int], int]

    def forward(self, instrument: Instrument) -> int:
        return self.forwards.get(
            (instrument.underlying, instrument.expiry), self.spots[instrument.underlying]
        )


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
    distance = forward // SPREAD
    below, above = payoff(instrument, forward - distance), payoff(instrument, forward + distance)
    return (below + above) // 2


def loss(instrument: Instrument, market: Market, scenario: int) -> int:
    """What one unit long loses against its mark when the price is `scenario` per cent of the spot."""
    price8 = market.spots[instrument.underlying] * scenario // 100
    return mark(instrument, market) - payoff(instrument, price8)


def book_margin(positions: Mapping[int, int], market: Market) -> BookMargin:
    """Mark and margins of a book, WAD; margins rounded up."""
    legs = [(Instrument.unpack(i), q) for i, q in sorted(positions.items())]
    marked = Fraction(sum(q * mark(i, market) for i, q in legs), WAD)
    initial = sum((_scan(legs, u, market) for u in {i.underlying for i, _ in legs}), Fraction(0))
    return BookMargin(int(marked), ceil(initial), ceil(initial * Fraction(4, 5)))


def unit_margins(instrument: Instrument, market: Market) -> tuple[int, int]:
    """Stand-alone initial margin of one unit, long and short."""
    losses = [loss(instrument, market, s) for s in SCENARIOS]
    return max(0, *losses), max(0, *(-x for x in losses))


def _scan(legs: Iterable[tuple[Instrument, int]], underlying: int, market: Market) -> Fraction:
    mine = [(i, q) for i, q in legs if i.underlying == underlying]
    losses = [Fraction(sum(q * loss(i, market, s) for i, q in mine), WAD) for s in SCENARIOS]
    return max(Fraction(0), *losses)
