"""The scan charge S: the worst scenario of each offset group.

Losses count in full, gains of the other underlyings of the group in part; groups add up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keeper.markets.instrument import Leg
from keeper.risk.book import Book, whole
from keeper.risk.parameters import PPM
from keeper.risk.scan import Integers
from keeper.risk.table import RiskTable
from keeper.units.constants import WAD


def scan_charge(book: Book, table: RiskTable) -> int:
    """S, quanta, not negative."""
    share = table.methodology.scan.offset_ppm
    return sum(max(0, -int(np.min(net_profit(profits, share)))) for profits in book.profits.values())


def scan_detail(book: Book, legs: Sequence[Leg], table: RiskTable) -> list[dict[str, Any]]:
    """Loss, binding scenario and profit and loss per underlying and leg in it, of each group; JSON-ready."""
    share = table.methodology.scan.offset_ppm
    detail = []
    for key, profits in sorted(book.profits.items()):
        net = net_profit(profits, share)
        index = int(np.argmin(net))
        detail.append(
            {
                "loss": str(max(0, -int(net[index]))),
                "scenario": table.groups[key].scenarios[index].name,
                "underlyings": {str(u): str(int(p[index])) for u, p in sorted(profits.items())},
                "legs": _leg_profits(legs, key, index, table),
            }
        )
    return detail


def _leg_profits(legs: Sequence[Leg], key: int, index: int, table: RiskTable) -> dict[str, str]:
    members = [(leg, table.units[leg.instrument]) for leg in legs]
    members = [(leg, unit) for leg, unit in members if unit.group == key]
    column = table.groups[key].profit[[unit.row for _, unit in members], index]
    profits = whole(np.array([leg.quantity / WAD for leg, _ in members]) * column)
    return {str(leg.instrument): str(int(p)) for (leg, _), p in zip(members, profits, strict=True)}


def net_profit(profits: Mapping[int, Integers], share_ppm: int) -> Integers:
    """Profit and loss of a group in every scenario, gains counted by their share; of a single underlying
    only losses matter.
    """
    parts = list(profits.values())
    if len(parts) == 1:
        return parts[0]
    net = np.zeros_like(parts[0])
    for profit in parts:
        net += np.where(profit > 0, _part(profit, share_ppm), profit)
    return net


def _part(profit: Integers, share_ppm: int) -> Integers:
    """profit * share, rounded down, without overflow; profit >= 0 where it is used."""
    return profit // PPM * share_ppm + profit % PPM * share_ppm // PPM
