"""Margin modes: one margin over the whole account (cross), or one per pocket with its own collateral
(isolated).

A pocket's loss cannot reach the collateral of another, so each is margined alone and nothing offsets between
them: the core margins of pockets sum to at least the core margin of the whole. Add-ons that grow with size
are taken per pocket as well.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.markets.instrument import Instrument, Leg
from keeper.portfolio.portfolio import MarginMode
from keeper.risk.collateral import Collateral
from keeper.risk.margin import Margin, account_margin
from keeper.risk.table import RiskTable

# underlying and expiry; 0 where the mode does not tell them apart (perpetuals have expiry 0 themselves)
Pocket = tuple[int, int]


@dataclass(frozen=True)
class PocketMargins:
    """Margins of one account by pocket, WAD.

    Attributes:
        pockets: ascending by pocket.
    """

    pockets: Mapping[Pocket, Margin]

    @property
    def initial(self) -> int:
        """What all pockets need together; each must be covered by its own collateral and cash."""
        return sum(margin.initial for margin in self.pockets.values())

    @property
    def maintenance(self) -> int:
        """As `initial`."""
        return sum(margin.maintenance for margin in self.pockets.values())

    @property
    def mark(self) -> int:
        """Mark-to-market of all legs, signed."""
        return sum(margin.mark for margin in self.pockets.values())

    def breakdown(self) -> dict[str, Any]:
        """Breakdown of every pocket, by `underlying:expiry`; JSON-ready."""
        return {f"{u}:{expiry}": margin.breakdown for (u, expiry), margin in self.pockets.items()}


def pocket_of(instrument: int, mode: MarginMode) -> Pocket:
    """The pocket that an instrument belongs to."""
    what = Instrument.unpack(instrument)
    if mode is MarginMode.CROSS:
        return 0, 0
    return what.underlying, what.expiry if mode is MarginMode.ISOLATED_EXPIRY else 0


def pocket_margins(
    legs: Sequence[Leg],
    table: RiskTable,
    mode: MarginMode,
    tier: int = 0,
    collateral: Mapping[Pocket, Sequence[Collateral]] | None = None,
) -> PocketMargins:
    """Margins of an account in a mode.

    Args:
        legs: distinct instruments of the table, quantities WAD.
        collateral: coins fenced for each pocket.

    Raises:
        LookupError: an instrument is not in the table, or collateral is fenced for a pocket without legs.
        OverflowError: a leg's profit and loss does not fit.
    """
    members: dict[Pocket, list[Leg]] = defaultdict(list)
    for leg in legs:
        members[pocket_of(leg.instrument, mode)].append(leg)
    fenced = collateral or {}
    strays = set(fenced) - set(members)
    if strays:
        raise LookupError(f"modes: no legs in pocket {min(strays)}, move its collateral to one that has")
    return PocketMargins(
        {key: account_margin(members[key], table, tier, fenced.get(key, ())) for key in sorted(members)}
    )
