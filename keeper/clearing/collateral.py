"""What collateral counts: a token is so much spot of an underlying, less a haircut.

Amounts and values are WAD, spots 1e-8 USD, haircuts basis points. Values are rounded down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keeper.units.constants import BASIS_POINTS, PRICE_UNIT, WAD


@dataclass(frozen=True, slots=True)
class Listing:
    """A token's terms. `cap` is the most of it that may be held, in its own decimals; `since` and `until`,
    unix seconds, are when its delisting began and when it counts nothing any more; 0: not being delisted.
    """

    index: int
    decimals: int
    underlying: int
    initial_haircut: int
    maintenance_haircut: int
    cap: int
    since: int = 0
    until: int = 0

    def delisted(self, since: int, until: int) -> "Listing":
        """The same token on its way out."""
        return replace(self, cap=0, since=since, until=until)

    def haircut(self, listed: int, now: int) -> int:
        """A haircut in force, basis points, rounded up: while the token is delisted, on its way to one."""
        if not self.until:
            return listed
        left = max(0, self.until - now)
        return BASIS_POINTS - (BASIS_POINTS - listed) * left // (self.until - self.since)

    def counts(self, now: int) -> bool:
        """Whether it counts at all: what is delisted for good is only kept for its owners."""
        return not self.until or now < self.until

    def amount(self, tokens: int) -> int:
        """WAD of an amount in the token's own decimals."""
        return tokens * int(10 ** (18 - self.decimals))


@dataclass(frozen=True, slots=True)
class Value:
    """Of all collateral of an account: whole, and after the haircuts of initial and maintenance margin."""

    full: int = 0
    initial: int = 0
    maintenance: int = 0


def in_force(listings: Iterable[Listing], now: int) -> tuple[Listing, ...]:
    """Tokens that count at a time, unix seconds, with the haircuts of then."""
    return tuple(
        replace(
            x,
            initial_haircut=x.haircut(x.initial_haircut, now),
            maintenance_haircut=x.haircut(x.maintenance_haircut, now),
        )
        for x in listings
        if x.counts(now)
    )


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
