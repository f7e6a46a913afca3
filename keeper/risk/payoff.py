"""Payoff profile of one expiry: worst case and no-arbitrage bracket.

Bit for bit as `contracts/risk/payoff.vy`. Prices are 1e-8 USD and quantities WAD, so values
inside are 1e-26 USD and exact; results are WAD.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from keeper.markets.instrument import Instrument, Kind, leg_of
from keeper.units.constants import MAX_QUANTITY, PRICE_UNIT

_MAX_FORWARD = 2**64 - 1
_GROUP_SHIFT = 200  # of a word: leaves underlying and expiry
_INSTRUMENT_SHIFT = 128  # of a word
_TO_WAD = 10**8  # from 1e-26 USD


class Knot(NamedTuple):
    """A point of a profile: price in 1e-8 USD, value in 1e-26 USD."""

    price: int
    value: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """WAD. `worst` is the least knot: a bound only where `finite`, else the profile falls without end."""

    worst: int
    finite: bool
    low: int
    high: int
    next_index: int


def payoff(instrument: int, price8: int) -> int:
    """What one unit, long, pays at a settlement price, WAD. Linear instruments are worth the price."""
    if not 0 <= price8 <= _MAX_FORWARD:
        raise ValueError("payoff: price too large")
    what = Instrument.unpack(instrument)
    if what.kind == Kind.CALL:
        return max(price8 - what.strike, 0) * PRICE_UNIT
    if what.kind == Kind.PUT:
        return max(what.strike - price8, 0) * PRICE_UNIT
    return price8 * PRICE_UNIT


def expiry_bounds(book: Sequence[int], start: int, forward_low: int, forward_high: int) -> Bounds:
    """Bounds of the legs of one underlying and expiry: those from `start` up to the next group.

    book: words, ascending by instrument; forward_low, forward_high: 1e-8 USD. Low and worst are rounded
    down, high up. ValueError, with the chain's reason, for a book that is not ascending and distinct, or for
    numbers out of range.
    """
    if forward_low > forward_high:
        raise ValueError("payoff: forward band inverted")
    if forward_high > _MAX_FORWARD:
        raise ValueError("payoff: forward too large")
    knots, slope, next_index = _profile(book, start)
    worst, low = _lower(knots, slope, forward_low, forward_high)
    negated = [Knot(knot.price, -knot.value) for knot in knots]
    _, upper = _lower(negated, -slope, forward_low, forward_high)
    return Bounds(worst, slope >= 0, low, -upper, next_index)


def _profile(book: Sequence[int], start: int) -> tuple[list[Knot], int, int]:
    """Knots by rising price from zero, the slope beyond the last one, and the index of the next group."""
    group = book[start] >> _GROUP_SHIFT
    before = book[start - 1] >> _INSTRUMENT_SHIFT if start else 0
    options: list[tuple[int, int]] = []  # strike, quantity
    base = slope = 0
    index = start
    while index < len(book) and book[index] >> _GROUP_SHIFT == group:
        leg = leg_of(book[index])
        if leg.instrument <= before:
            raise ValueError("payoff: book not ascending")
        if abs(leg.quantity) > MAX_QUANTITY:
            raise ValueError("payoff: quantity too large")
        before = leg.instrument
        index += 1
        what = Instrument.unpack(leg.instrument)
        if what.kind <= Kind.FUTURE:
            slope += leg.quantity
            continue
        options.append((what.strike, leg.quantity))
        if what.kind == Kind.PUT:  # by parity a call, plus the strike, less the forward
            base += leg.quantity * what.strike
            slope -= leg.quantity
    knots = [Knot(0, base)]
    for strike, quantity in options:
        last = knots[-1]
        if strike != last.price:
            knots.append(Knot(strike, last.value + slope * (strike - last.price)))
        slope += quantity
    return knots, slope, index


def _lower(knots: Sequence[Knot], slope: int, forward_low: int, forward_high: int) -> tuple[int, int]:
    """Least knot of the hull, least value of the convex envelope over the band; WAD, rounded down."""
    hull = _hull(knots, slope)
    inside = [knot.value // _TO_WAD for knot in hull if forward_low <= knot.price <= forward_high]
    ends = [_envelope_at(hull, slope, forward) for forward in (forward_low, forward_high)]
    return min(knot.value for knot in hull) // _TO_WAD, min(*ends, *inside)


def _hull(knots: Sequence[Knot], slope: int) -> list[Knot]:
    """Lower convex hull of the knots with a ray of the given slope behind the last one."""
    hull: list[Knot] = []
    for knot in knots:
        while len(hull) > 1 and not _turns_up(hull[-2], hull[-1], knot):
            hull.pop()
        hull.append(knot)
    while len(hull) > 1 and not _rises_less(hull[-2], hull[-1], slope):
        hull.pop()
    return hull


def _turns_up(a: Knot, b: Knot, c: Knot) -> bool:
    return (c.value - b.value) * (b.price - a.price) > (b.value - a.value) * (c.price - b.price)


def _rises_less(a: Knot, b: Knot, slope: int) -> bool:
    return b.value - a.value < slope * (b.price - a.price)


def _envelope_at(hull: Sequence[Knot], slope: int, forward: int) -> int:
    """Value of the envelope at a forward, WAD, rounded down."""
    for a, b in zip(hull, hull[1:], strict=False):
        if forward < b.price:
            width = b.price - a.price
            value = a.value * width + (b.value - a.value) * (forward - a.price)
            return value // (width * _TO_WAD)
    last = hull[-1]
    return (last.value + slope * (forward - last.price)) // _TO_WAD
