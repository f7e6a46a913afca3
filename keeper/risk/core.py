"""The core margin of a book: the larger of the Greeks charge and the scan, plus basis and roll.

Apart from concentration it is subadditive and homogeneous, up to the rounding of a few quanta per leg.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.markets.instrument import Leg
from keeper.risk.book import Book
from keeper.risk.greeks_charge import GreeksCharge, SmileCharge, combine, delta_charge, smile_charge
from keeper.risk.roll import roll_charges
from keeper.risk.scan_charge import scan_charge, scan_detail
from keeper.risk.table import RiskTable
from keeper.units.constants import PRICE_UNIT


@dataclass(frozen=True)
class Core:
    """Core margin of a book: `total` WAD, the charges in quanta."""

    total: int
    greeks: GreeksCharge
    scan: int
    roll: int

    @property
    def binding(self) -> str:
        """Which of the two charges is the larger."""
        return "greeks" if self.greeks.total > self.scan else "scan"


def core_of(book: Book, table: RiskTable, smile: SmileCharge | None = None) -> Core:
    """Core margin of a book.

    Args:
        smile: the book's smile charge, where it is known already: coins beside a book do not change it.
    """
    methodology = table.methodology
    if smile is None:
        smile = smile_charge(book.exposures.values(), table.tenors, methodology)
    greeks = combine(delta_charge(book.exposures, table.tenors, methodology), smile, methodology)
    scan = scan_charge(book, table)
    roll = sum(roll_charges(book, table).values())
    total = (max(greeks.total, scan) + roll) * methodology.quantum_e8 * PRICE_UNIT
    return Core(total, greeks, scan, roll)


def core_detail(core: Core, book: Book, legs: Sequence[Leg], table: RiskTable) -> dict[str, Any]:
    """Charges and binding scenarios; JSON-ready, integers as text."""
    return {
        "binding": core.binding,
        "core": str(core.total),
        "greeks": core.greeks.detail(),
        "quantum_e8": table.methodology.quantum_e8,
        "roll": {f"{u}:{expiry}": str(charge) for (u, expiry), charge in roll_charges(book, table).items()},
        "scan": scan_detail(book, legs, table),
    }
