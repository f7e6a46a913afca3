"""Packages of legs: from what a person types to one unit of an order, from a package's price to leg prices.

Quantities, cash and prices are WAD integers; > 0 buys. Errors are ValueErrors that a person can read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from keeper.exchange.order import Leg
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import MAX_ORDER_LEGS, WAD

_OPTIONS = (Kind.CALL, Kind.PUT)
_MOST_SHIFTED = 20  # ticks that one leg may move from its mark to make the others' prices exact


@dataclass(frozen=True)
class Package:
    """One unit of an order, and how many units make up the package that was typed."""

    legs: tuple[Leg, ...]
    limit: int  # cash per unit
    units: int


def package_of(quantities: Mapping[int, int], lots: Mapping[int, int], limit: int) -> Package:
    """The smallest unit of a package whose legs are whole lots.

    Args:
        quantities: signed, by instrument, in one package.
        lots: by instrument.
        limit: most cash paid for one package; negative: least received. Per unit it is rounded down.

    Raises:
        ValueError: too many legs, or a quantity is not a multiple of its lot.
    """
    if not 1 <= len(quantities) <= MAX_ORDER_LEGS:
        raise ValueError(f"an order has 1 to {MAX_ORDER_LEGS} legs")
    if any(quantity == 0 or quantity % lots[i] for i, quantity in quantities.items()):
        raise ValueError("the quantity of every leg must be a multiple of its lot")
    units = gcd(*(quantity // lots[i] for i, quantity in quantities.items()))
    legs = tuple(Leg(i, quantities[i] // units) for i in sorted(quantities))
    return Package(legs, limit // units, units)


def leg_prices(
    legs: Sequence[Leg], price: int, marks: Mapping[int, int], ticks: Mapping[int, int]
) -> tuple[int, ...]:
    """A price on the tick for every leg, which together make up the price of a unit exactly.

    One leg, an option if there is one, takes what the others at their marks leave over.

    Args:
        legs: of the maker, in one unit.
        price: cash the maker pays per unit; negative: receives.
        marks: by instrument; of a single leg not needed.
        ticks: by instrument.

    Raises:
        ValueError: no such prices near the marks.
    """
    for last in _by_preference(legs):
        others = [leg for leg in legs if leg is not last]
        for prices in _near_marks(others, marks, ticks):
            paid = sum(leg.quantity * prices[leg.instrument] for leg in others)
            rest, odd = divmod(price * WAD - paid, last.quantity)
            if not odd and rest >= 0 and rest % ticks[last.instrument] == 0:
                prices[last.instrument] = rest
                return tuple(prices[leg.instrument] for leg in legs)
    raise ValueError("no prices of the legs, on their ticks and near the marks, make up the price")


def _by_preference(legs: Sequence[Leg]) -> list[Leg]:
    """Who may take the remainder: the last option first, perps and futures after all options."""
    return sorted(reversed(legs), key=lambda leg: Instrument.unpack(leg.instrument).kind not in _OPTIONS)


def _near_marks(
    legs: Sequence[Leg], marks: Mapping[int, int], ticks: Mapping[int, int]
) -> Iterator[dict[int, int]]:
    """Marks rounded to the tick; then with one of them moved, at first by little."""
    rounded = {leg.instrument: _rounded(marks[leg.instrument], ticks[leg.instrument]) for leg in legs}
    yield dict(rounded)
    for count in range(1, _MOST_SHIFTED + 1):
        for leg in legs:
            for shift in (count, -count):
                moved = rounded[leg.instrument] + shift * ticks[leg.instrument]
                if moved >= 0:
                    yield {**rounded, leg.instrument: moved}


def _rounded(mark: int, tick: int) -> int:
    return (mark + tick // 2) // tick * tick
