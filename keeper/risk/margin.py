"""Initial and maintenance margin of accounts and of single instruments.

Formulas and bounds are in `keeper.risk.levels`. Margins are uncapped: a defined-risk book is capped at its
worst loss on-chain, last, because a capped margin is not subadditive. Collateral that hedges the book lowers
both (see `keeper.risk.collateral`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.markets.instrument import Instrument, Leg, leg_of, word
from keeper.risk.book import book_of
from keeper.risk.collateral import Collateral, Pledge, pledge
from keeper.risk.concentration import Reach, reach
from keeper.risk.core import core_detail, core_of
from keeper.risk.levels import bound_of, levels_of, unit_levels
from keeper.risk.payoff import expiry_bounds
from keeper.risk.table import RiskTable, build_table
from keeper.units.constants import PRICE_UNIT, WAD

__all__ = ["Margin", "RiskTable", "UnitMargins", "account_margin", "build_table", "unit_margins"]


@dataclass(frozen=True)
class Margin:
    """Margin of one account, WAD. `initial` and `maintenance` are uncapped and rounded up.

    Attributes:
        mark: mark-to-market of all legs, signed; collateral is not in it.
        core: margin before the credit tier, of the legs with the coins that the initial margin pledges.
        marginal: multiplier m of stand-alone margin that the account may add, at least 1.
        max_added: up to how much of it, WAD.
        breakdown: charges, binding scenarios and profit and loss per leg in them; JSON-ready, integers as
            text.
    """

    mark: int
    core: int
    initial: int
    maintenance: int
    marginal: int
    max_added: int
    breakdown: Mapping[str, Any]


@dataclass(frozen=True)
class UnitMargins:
    """Mark and stand-alone margins of one unit, WAD."""

    instrument: int
    mark: int
    im_long: int
    mm_long: int
    im_short: int
    mm_short: int


def account_margin(
    legs: Sequence[Leg], table: RiskTable, tier: int = 0, collateral: Sequence[Collateral] = ()
) -> Margin:
    """Mark and margins of one account.

    Args:
        legs: distinct instruments of the table, quantities WAD (multiples of 1e10).
        tier: credit tier of the account.
        collateral: its coins.

    Raises:
        LookupError: an instrument or a collateral's underlying is not in the table.
        OverflowError: a leg's profit and loss does not fit; the account cannot be margined.
    """
    book = book_of(legs, table)
    multiplier = table.methodology.multiplier_ppm(tier)
    levels = levels_of(book.addons, multiplier, table.market, table.methodology)
    initial = pledge(book, collateral, table, lambda of: of.initial_haircut, levels.initial)
    maintenance = pledge(book, collateral, table, lambda of: of.maintenance_haircut, levels.maintenance)
    bound = _bound(initial, maintenance, table, multiplier)
    breakdown = {
        **core_detail(initial.core, initial.book, [*legs], table),
        **levels.detail(initial.core.total, book.addons),
        "collateral": _collateral_detail(collateral, initial, maintenance),
        "initial": str(initial.required),
        "maintenance": str(maintenance.required),
        "marginal": str(bound.marginal),
    }
    return Margin(
        mark=mark_of(legs, table),
        core=initial.core.total,
        initial=initial.required,
        maintenance=maintenance.required,
        marginal=bound.marginal,
        max_added=bound.max_added,
        breakdown=breakdown,
    )


def _bound(initial: Pledge, maintenance: Pledge, table: RiskTable, multiplier: int) -> Reach:
    """How far both margins bound those of a larger account."""
    cores = [initial.core, maintenance.core]
    positions = [core.greeks.delta.positions for core in cores]
    growth = reach(positions, [u.underlying for u in table.market.underlyings], table.methodology)
    return bound_of(growth, [core.total for core in cores], multiplier, table.methodology)


def _collateral_detail(
    collateral: Sequence[Collateral], initial: Pledge, maintenance: Pledge
) -> list[dict[str, Any]]:
    """Coins pledged of each token; JSON-ready."""
    return [
        {
            "index": c.index,
            "underlying": c.underlying,
            "amount": str(c.amount),
            "pledged_initial": str(for_initial),
            "pledged_maintenance": str(for_maintenance),
        }
        for c, for_initial, for_maintenance in zip(collateral, initial.coins, maintenance.coins, strict=True)
    ]


def mark_of(legs: Sequence[Leg], table: RiskTable) -> int:
    """Sum of quantity * mark, each expiry held inside its no-arbitrage bracket at the settlement forward,
    WAD.

    Only the rounding of single marks to 1e-8 ever leaves the bracket (a far butterfly at -1e-8 instead of 0),
    but the chain would refuse such a leaf.
    """
    book = sorted(word(leg.instrument, leg.quantity) for leg in legs)
    total, index = 0, 0
    while index < len(book):
        head = Instrument.unpack(leg_of(book[index]).instrument)
        listed = table.market.underlying(head.underlying)
        forward = listed.expiry(head.expiry).settlement_forward if head.expiry else listed.effective
        bounds = expiry_bounds(book, index, forward, forward)
        group = [leg_of(w) for w in book[index : bounds.next_index]]
        value = sum(leg.quantity * table.marks[leg.instrument] * PRICE_UNIT for leg in group) // WAD
        total += min(max(value, bounds.low), bounds.high)
        index = bounds.next_index
    return total


def unit_margins(table: RiskTable, instruments: Iterable[int]) -> tuple[UnitMargins, ...]:
    """Stand-alone margins of one unit of each instrument, long and short, in the anonymous tier;
    ascending.
    """
    result = []
    for packed in sorted(set(instruments)):
        (im_long, mm_long), (im_short, mm_short) = (_unit(packed, sign * WAD, table) for sign in (1, -1))
        mark = table.marks[packed] * PRICE_UNIT
        result.append(UnitMargins(packed, mark, im_long, mm_long, im_short, mm_short))
    return tuple(result)


def _unit(instrument: int, quantity: int, table: RiskTable) -> tuple[int, int]:
    book = book_of([Leg(instrument, quantity)], table)
    core = core_of(book, table).total
    levels = unit_levels(book.addons, table.market, table.methodology)
    return levels.initial(core), levels.maintenance(core)
