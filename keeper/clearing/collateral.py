"""What collateral counts: a token is so much spot of an underlying, less a haircut.

Amounts and values are WAD, spots 1e-8 USD, haircuts basis points. Values are rounded down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keeper.units.constants import BASIS_POINTS, PRICE_UNIT, WAD


@dataclass(frozen=True, slots=True)
class Listing:
    """A token's terms. `cap` is the most of it that may be held, in its own decimals."""

    index: int
    decimals: int
    underlying: int
    initial_haircut: int
    maintenance_haircut: int
    cap: int

    def amount(self, tokens: int) -> int:
        """WAD of an amount in the token's own decimals."""
        return tokens * int(10 ** (18 - self.decimals))


@dataclass(frozen=True, slots=True)
class Value:
    """Of all collateral of an account: whole, and after the haircuts of initial and maintenance margin."""

    full: int = 0
    initial: int = 0
    maintenance: int = 0


def value_of(balances: Mapping[int, int], listings: Iterable[Listing], spots: Mapping[int, int]) -> Value:
    """Sum over all tokens.

    Args:
        balances: WAD by the token's index.
        spots: by underlying, 1e-8 USD.
    """
    full = initial = maintenance = 0
    for listing in listings:
        worth = balances.get(listing.index, 0) * spots[listing.underlying] * PRICE_UNIT // WAD
        full += worth
        initial += after_haircut(worth, listing.initial_haircut)
        maintenance += after_haircut(worth, listing.maintenance_haircut)
    return Value(full, initial, maintenance)


def after_haircut(worth: int, haircut: int) -> int:
    """What remains of a value, rounded down."""
    return worth * (BASIS_POINTS - haircut) // BASIS_POINTS
