"""The core margin of a book: the largest of Greeks charge, scan and expected shortfall, plus basis, roll
and the add-ons that grow in proportion.

Apart from concentration it is subadditive and homogeneous, up to the rounding of a few quanta per leg.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.markets.instrument import Leg
from keeper.risk.addons import Addons
from keeper.risk.book import Book
from keeper.risk.expected_shortfall import Shortfall, shortfall_of
from keeper.risk.greeks_charge import GreeksCharge, SmileCharge, combine, delta_charge, smile_charge
from keeper.risk.roll import roll_charges
from keeper.risk.scan_charge import scan_charge, scan_detail
from keeper.risk.shortfall_detail import shortfall_detail
from keeper.risk.table import RiskTable
from keeper.units.constants import PRICE_UNIT


@dataclass(frozen=True)
class Core:
    """Core margin of a book: `total` WAD, the charges in quanta."""

    total: int
    greeks: GreeksCharge
    scan: int
    shortfall: Shortfall
    roll: int
    addons: Addons

    @property
    def binding(self) -> str:
        """Which charge is the largest; the scan before the Greeks before the shortfall among equals."""
        charges = {"scan": self.scan, "greeks": self.greeks.total, "shortfall": self.shortfall.total}
        return max(charges, key=lambda name: charges[name])


def core_of(book: Book, table: RiskTable, smile: SmileCharge | None = None) -> Core:
    """Core margin of a book.

    Args:
        smile: the book's smile charge, where it is known already: coins beside a book do not change it.
    """
    methodology = table.methodology
    if smile is None:
        smile = smile_charge(book.exposures.values(), table.tenors, methodology)
    greeks = combine(delta_charge(book.exposures, table.tenors, methodology), smile, methodology)
    scan, shortfall = scan_charge(book, table), shortfall_of(book.history, methodology)
    roll = sum(roll_charges(book, table).values())
    largest = max(greeks.total, scan, shortfall.total)
    total = (largest + roll + book.addons.total) * methodology.quantum_e8 * PRICE_UNIT
    return Core(total, greeks, scan, shortfall, roll, book.addons)


def core_detail(core: Core, book: Book, legs: Sequence[Leg], table: RiskTable) -> dict[str, Any]:
    """Charges and binding scenarios; JSON-ready, integers as text."""
    return {
        "addons": core.addons.detail(),
        "binding": core.binding,
        "core": str(core.total),
        "greeks": core.greeks.detail(),
        "quantum_e8": table.methodology.quantum_e8,
        "roll": {f"{u}:{expiry}": str(charge) for (u, expiry), charge in roll_charges(book, table).items()},
        "scan": scan_detail(book, legs, table),
        "shortfall": shortfall_detail(core.shortfall, book, legs, table),
    }
