"""Variation margin: what an account has gained or lost between two snapshots."""

from collections.abc import Mapping, Sequence

from keeper.markets.instrument import Leg
from keeper.risk.margin import mark_of
from keeper.risk.table import RiskTable
from keeper.units.constants import WAD


def variation_margin(
    legs: Sequence[Leg], before: RiskTable, after: RiskTable, funding: Mapping[int, int] | None = None
) -> int:
    """Change in the mark of unchanged legs, less the funding they paid, WAD, signed; rounded down.

    Args:
        legs: held over the whole period, distinct; quantities WAD.
        before, after: the market at both ends.
        funding: what one unit long of a perpetual paid in between, WAD, signed, by packed instrument.

    Raises:
        LookupError: an instrument is missing at either end (what has settled is cash by then).
    """
    paid = funding or {}
    for leg in legs:
        before.unit(leg.instrument), after.unit(leg.instrument)
    due = sum(-(-leg.quantity * paid.get(leg.instrument, 0) // WAD) for leg in legs)
    return mark_of(legs, after) - mark_of(legs, before) - due
