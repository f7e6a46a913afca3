"""Margins of an account's pockets: one in cross mode, one by underlying or expiry where they are isolated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.markets.instrument import Instrument, Kind, Leg, word
from keeper.portfolio.moments import day_text
from keeper.portfolio.portfolio import MarginMode
from keeper.presets.plimsoll_breakdown import breakdown
from keeper.pricing.market import Market
from keeper.risk.collateral import Collateral
from keeper.risk.margin import Margin, account_margin
from keeper.risk.methodology import Methodology
from keeper.risk.modes import pocket_margins, pocket_of
from keeper.risk.payoff import expiry_bounds
from keeper.risk.table import RiskTable
from keeper.units.constants import WAD


@dataclass(frozen=True)
class PocketMargin:
    """Margin of one pocket; `most` is what it can lose at all, WAD, None where there is no bound."""

    margin: Margin
    most: int | None

    @property
    def initial(self) -> float:
        """USD; not more than the pocket can lose."""
        return self._capped(self.margin.initial)

    @property
    def maintenance(self) -> float:
        """As `initial`."""
        return self._capped(self.margin.maintenance)

    def detail(self, symbols: Mapping[int, str], methodology: Methodology) -> dict[str, Any]:
        """Breakdown for people, USD; JSON-ready."""
        return {
            **breakdown(self.margin.breakdown, symbols, methodology),
            "uncapped": {
                "initial": self.margin.initial / WAD,
                "maintenance": self.margin.maintenance / WAD,
            },
            "worst_loss": None if self.most is None else self.most / WAD,
        }

    def _capped(self, needed: int) -> float:
        return (needed if self.most is None else min(needed, self.most)) / WAD


def pocket_of_margin(margin: Margin, legs: Sequence[Leg], market: Market) -> PocketMargin:
    """A margin with the bound on its legs' losses; `legs` ascend."""
    worst = worst_case(legs, market)
    return PocketMargin(margin, None if worst is None else max(margin.mark - worst, 0))


def pockets_of(
    legs: Sequence[Leg], table: RiskTable, mode: MarginMode, tier: int, collateral: Sequence[Collateral]
) -> dict[tuple[int, int], PocketMargin]:
    """Margins by underlying and expiry, 0 where the mode does not tell them apart.

    Isolated coins hedge the pocket of their own underlying, by expiry the one of its perp; where there is
    none they hedge nothing.
    """
    if mode is MarginMode.CROSS:
        margin = account_margin(legs, table, tier, collateral)
        return {(0, 0): pocket_of_margin(margin, legs, table.market)}
    members: dict[tuple[int, int], list[Leg]] = {}
    for leg in legs:
        members.setdefault(pocket_of(leg.instrument, mode), []).append(leg)
    fenced: dict[tuple[int, int], list[Collateral]] = {}
    for coins in collateral:
        if (coins.underlying, 0) in members:
            fenced.setdefault((coins.underlying, 0), []).append(coins)
    found = pocket_margins(legs, table, mode, tier, fenced).pockets
    return {key: pocket_of_margin(margin, members[key], table.market) for key, margin in found.items()}


def pocket_name(key: tuple[int, int], symbols: Mapping[int, str]) -> str:
    """Such as "BTC" or "BTC-27JUN25"."""
    underlying, expiry = key
    return f"{symbols[underlying]}-{day_text(expiry)}" if expiry else symbols[underlying]


def worst_case(legs: Sequence[Leg], market: Market) -> int | None:
    """The least that all expiries together can pay, gains not counted, WAD; None where there is no least.

    Args:
        legs: ascending by instrument.
    """
    book = [word(leg.instrument, leg.quantity) for leg in legs]
    total, index = 0, 0
    while index < len(book):
        head = Instrument.unpack(legs[index].instrument)
        if head.kind == Kind.PERP:
            return None
        forward = market.underlying(head.underlying).expiry(head.expiry).settlement_forward
        bounds = expiry_bounds(book, index, forward, forward)
        if not bounds.finite:
            return None
        total, index = total + min(bounds.worst, 0), bounds.next_index
    return total
