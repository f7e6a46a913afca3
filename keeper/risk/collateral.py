"""Collateral in the margin: what a hedge with one's own coins is worth.

The chain counts every coin in equity after its haircut. Coins that hedge the book (a covered call's) should
carry no haircut: they are pledged to the book as spot and margined with it. With s coins pledged, an account
needs

    R(s) = M(legs + s coins of spot) - haircut * spot * s, at least 0,

as the haircut of a pledged coin is given back and its risk enters the scan instead: never both. Any s from
nothing to everything is a sound way to look at the same account, so the one that needs least counts.

Subadditivity in trades: the choice of s is the same whatever the legs are, so with s chosen for A alone,
R(A + B) <= M(A + s + B) - credit(s) <= R(A) + M(B). It needs the best s: with the choice left to the delta of
the legs, a trade could take a hedge away and cost more than it does alone. Shares of an account with its
coins behave alike, R(f A) <= f R(A). M is convex apart from concentration, so the search of one token finds
the least; several tokens are searched in turn, which finds it where their underlyings do not offset each
other, and a sound, at most higher margin elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keeper.risk.book import Book, with_spot
from keeper.risk.core import Core, core_of
from keeper.risk.greeks_charge import smile_charge
from keeper.risk.table import RiskTable
from keeper.units.constants import BASIS_POINTS, MAX_COLLATERALS, PRICE_UNIT, WAD

# 1e-8 coins
_STEP = PRICE_UNIT
# the search ends at this share of the amount: 1e-9 of it
_PRECISION_BITS = 30
# a slope is read over this share of the amount, and 1e-5 coins, to stand out of the rounding
_SLOPE_BITS = 20
_SLOPE_STEPS = 1_000
# the golden ratio less one, 1e-9
_GOLDEN = 618_033_989
_GOLDEN_UNIT = 10**9


@dataclass(frozen=True, slots=True)
class Collateral:
    """A balance of one collateral token.

    Attributes:
        index: of the token, from 1; underlying: whose spot prices it.
        initial_haircut, maintenance_haircut: basis points of the value that equity leaves out.
        amount: coins, WAD.
    """

    index: int
    underlying: int
    initial_haircut: int
    maintenance_haircut: int
    amount: int

    def __post_init__(self) -> None:
        if not 0 < self.index <= MAX_COLLATERALS:
            raise ValueError(f"collateral: no token {self.index}")
        if not 0 <= self.maintenance_haircut <= self.initial_haircut <= BASIS_POINTS:
            raise ValueError("collateral: bad haircut")
        if self.amount < 0:
            raise ValueError("collateral: negative amount")


@dataclass(frozen=True)
class Pledge:
    """The state of an account that needs least.

    Attributes:
        required: WAD, not negative.
        core: margin of the legs with the coins pledged; book: their sums.
        coins: pledged of each collateral, in the order given, WAD.
    """

    required: int
    core: Core
    book: Book
    coins: tuple[int, ...]


def pledge(
    book: Book,
    collateral: Sequence[Collateral],
    table: RiskTable,
    haircut: Callable[[Collateral], int],
    margin: Callable[[int], int],
) -> Pledge:
    """Least requirement of a book whose owner holds collateral.

    Args:
        haircut: the one that counts, basis points.
        margin: initial or maintenance margin of a core margin, WAD.
    """
    search = _Search(book, tuple(collateral), table, haircut, margin)
    coins = [0] * len(collateral)
    # of one underlying's tokens the one with the larger haircut gives more back
    order = sorted(range(len(coins)), key=lambda i: (-haircut(collateral[i]), collateral[i].index))
    for _ in range(min(2, len(order))):
        for i in order:
            coins[i] = search.best(coins, i)
    state = search.book(coins)
    core = core_of(state, table, search.smile)
    return Pledge(max(0, margin(core.total) - search.credit(coins)), core, state, tuple(coins))


class _Search:
    """Requirements of one book in the states that its collateral allows."""

    def __init__(
        self,
        book: Book,
        collateral: tuple[Collateral, ...],
        table: RiskTable,
        haircut: Callable[[Collateral], int],
        margin: Callable[[int], int],
    ) -> None:
        self._book, self._collateral, self._table, self._margin = book, collateral, table, margin
        spots = [table.market.underlying(c.underlying).effective for c in collateral]
        # WAD * price8 * basis points per coin
        self._rates = [spot * haircut(c) for spot, c in zip(spots, collateral, strict=True)]
        self.smile = smile_charge(book.exposures.values(), table.tenors, table.methodology)

    def book(self, coins: Sequence[int]) -> Book:
        """The book with coins beside it."""
        result = self._book
        for collateral, amount in zip(self._collateral, coins, strict=True):
            if amount:
                result = with_spot(result, collateral.underlying, amount, self._table)
        return result

    def credit(self, coins: Sequence[int]) -> int:
        """Haircuts given back, WAD, rounded down."""
        total = sum(amount * rate for amount, rate in zip(coins, self._rates, strict=True))
        return total * PRICE_UNIT // (WAD * BASIS_POINTS)

    def best(self, coins: Sequence[int], index: int) -> int:
        """The amount of one token that needs least, the others as they are."""
        rest = self.book([0 if i == index else c for i, c in enumerate(coins)])
        underlying = self._collateral[index].underlying
        values: dict[int, int] = {}

        def required(steps: int) -> int:
            if steps not in values:
                state = with_spot(rest, underlying, steps * _STEP, self._table) if steps else rest
                trial = [steps * _STEP if i == index else c for i, c in enumerate(coins)]
                core = core_of(state, self._table, self.smile)
                values[steps] = self._margin(core.total) - self.credit(trial)
            return values[steps]

        return _least(required, self._collateral[index].amount // _STEP) * _STEP


def _least(value: Callable[[int], int], most: int) -> int:
    """A point of [0, most] where a convex function is least, to a billionth of `most`, or not positive;
    the ends are found exactly.
    """
    near = min(max(most >> _SLOPE_BITS, _SLOPE_STEPS), most)
    if most == 0 or value(0) <= 0 or value(near) >= value(0):
        return 0
    if value(most) <= value(most - near):
        return most
    return _golden(value, most)


def _golden(value: Callable[[int], int], most: int) -> int:
    """Golden-section search: each step keeps the part of the interval that holds the least value."""
    low, high = 0, most
    inner = [_between(low, high, _GOLDEN_UNIT - _GOLDEN), _between(low, high, _GOLDEN)]
    while high - low > max(most >> _PRECISION_BITS, 3):
        left, right = inner
        if value(left) <= value(right):
            high, inner = right, [_between(low, right, _GOLDEN_UNIT - _GOLDEN), left]
        else:
            low, inner = left, [right, _between(left, high, _GOLDEN)]
        if inner[0] >= inner[1]:
            break
    return min((low, *inner, high), key=value)


def _between(low: int, high: int, share: int) -> int:
    return low + (high - low) * share // _GOLDEN_UNIT
