"""Basis and roll: a charge on the dollar delta of every underlying and expiry, whatever the others hold."""

from keeper.risk.book import Book
from keeper.risk.parameters import PPM
from keeper.risk.table import RiskTable


def roll_charges(book: Book, table: RiskTable) -> dict[tuple[int, int], int]:
    """|dollar delta| * max(flat, per year * years) by underlying and expiry, quanta, rounded up."""
    tenors = table.tenors
    return {
        (underlying, tenors.expiries[index]): -(-abs(delta) * tenors.roll_ppm[index] // PPM)
        for underlying, exposure in sorted(book.exposures.items())
        for index, delta in sorted(exposure.delta.items())
    }
