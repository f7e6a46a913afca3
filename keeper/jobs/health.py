"""Which accounts are below their margins, judged as the auction house would. Pure. Cash and margins WAD."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keeper.clearing.collateral import Listing, Value, value_of
from keeper.jobs.claims import History
from keeper.jobs.observe import ChainView
from keeper.liquidation import claim as claims
from keeper.liquidation.claim import Verdict
from keeper.store.index_store import AccountRow, ListingRow


@dataclass(frozen=True)
class Prices:
    """What collateral and changes are valued at: spots by underlying, 1e-8 USD, and what a unit of cash is
    worth in tokens, WAD.
    """

    effective: Mapping[int, int]
    posted: Mapping[int, int]
    listings: tuple[Listing, ...]
    rate: int

    @property
    def apart(self) -> dict[int, int]:
        """How far the spots of each underlying are from each other."""
        return {u: abs(spot - self.posted[u]) for u, spot in self.effective.items()}

    @property
    def of_tokens(self) -> dict[int, int]:
        """The greater spot by the token's index."""
        return {x.index: max(self.effective[x.underlying], self.posted[x.underlying]) for x in self.listings}

    def collateral(self, row: AccountRow) -> Value:
        """Of an account, at the effective spots."""
        return value_of(dict(row.collateral), self.listings, self.effective)

    def collateral_posted(self, row: AccountRow) -> int:
        """What counts towards maintenance margin at the posted spots."""
        return value_of(dict(row.collateral), self.listings, self.posted).maintenance


def prices_of(view: ChainView, rate: int) -> Prices:
    """Of one block."""
    spots = list(enumerate(view.spots, start=1))
    return Prices(
        effective={u: spot.effective for u, spot in spots},
        posted={u: spot.posted for u, spot in spots},
        listings=listings_of(view.collateral),
        rate=rate,
    )


def listings_of(rows: Iterable[ListingRow]) -> tuple[Listing, ...]:
    """Terms of indexed tokens that count."""
    return tuple(
        Listing(r.index, r.decimals, r.underlying, r.initial_haircut, r.maintenance_haircut, r.cap)
        for r in rows
        if r.counts
    )


def verdict_of(
    history: History, row: AccountRow, liquid: int, prices: Prices, least: int | None = None
) -> Verdict:
    """Whether an account is below its margins.

    Args:
        liquid: its cash and funding.
        least: least payoff of its book at expiry; None: not known or without bound. Without it more accounts
            look below than are.

    Raises:
        ClaimError: it has changed more than the leaf can answer for.
    """
    slack = claims.slack_of(history.effect, prices.apart)
    moved = claims.moved_value(history.effect, prices.of_tokens)
    units = {unit.instrument: unit for unit in history.units}
    bound = claims.bounds(history.leaf, units, history.effect, slack, moved)
    value, posted = prices.collateral(row), prices.collateral_posted(row)
    return claims.judge(bound, liquid, value, posted, prices.rate, least)
