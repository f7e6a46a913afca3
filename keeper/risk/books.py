"""Many accounts' legs as arrays: what the margin of thousands of accounts is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.markets.instrument import Leg
from keeper.risk.batch_blocks import in_blocks
from keeper.risk.compiled_books import arrange
from keeper.risk.scan import Integers
from keeper.risk.table import RiskTable
from keeper.units.constants import PRICE_UNIT


@dataclass(frozen=True)
class Books:
    """Legs of all accounts; those of account a are entries indptr[a] to indptr[a + 1].

    Attributes:
        indptr: shape (accounts + 1,).
        rows: instruments as rows of the table (`Unit.line`), distinct and ascending inside an account.
        quantities: 1e-8 coins, positive for a long position.
    """

    indptr: Integers
    rows: npt.NDArray[np.int32]
    quantities: Integers

    def __post_init__(self) -> None:
        pairs = np.diff(self.rows) > 0
        starts = self.indptr[1:-1] - 1
        pairs[starts[(starts >= 0) & (starts < len(pairs))]] = True
        if not pairs.all():
            raise ValueError(
                "books: legs are not ascending by row, or repeat an instrument: sort and merge them"
            )

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def legs(self, account: int, instruments: Sequence[int]) -> list[Leg]:
        """One account's legs, ascending by instrument.

        Args:
            instruments: packed, by row of the table.
        """
        entries = slice(self.indptr[account], self.indptr[account + 1])
        pairs = zip(self.rows[entries].tolist(), self.quantities[entries].tolist(), strict=True)
        return sorted(Leg(instruments[row], quantity * PRICE_UNIT) for row, quantity in pairs)


def arranged(
    indptr: Integers,
    instruments: Sequence[int],
    columns: npt.NDArray[np.int32],
    quantities: Integers,
    table: RiskTable,
) -> Books:
    """Books of legs that name their instruments by an index.

    Args:
        instruments: packed, by that index; those that no leg names need not be in the table.
        columns: of each leg; distinct inside an account.
        quantities: 1e-8 coins.

    Raises:
        LookupError: an instrument is not in the table.
    """
    known = (table.units.get(packed) for packed in instruments)
    lines = np.array([-1 if unit is None else unit.line for unit in known], dtype=np.int32)
    rows = lines[columns] if len(columns) else np.zeros(0, dtype=np.int32)
    if len(rows) and rows.min() < 0:
        missing = instruments[int(columns[int(np.argmin(rows))])]
        raise LookupError(f"margin: instrument {missing} is not in the table")
    sorted_quantities = quantities.copy()
    in_blocks(lambda span: arrange(indptr, rows, sorted_quantities, span), len(indptr) - 1, None)
    return Books(indptr, rows, sorted_quantities)


def books_of(accounts: Sequence[Sequence[Leg]], table: RiskTable) -> Books:
    """Arrays of accounts' legs, in any order.

    Raises:
        LookupError: an instrument is not in the table.
        ValueError: an account holds an instrument twice, or a quantity is no multiple of 1e-8 coins.
        OverflowError: a quantity does not fit 63 bits; the account cannot be margined here.
    """
    indptr = np.zeros(len(accounts) + 1, dtype=np.int64)
    indptr[1:] = np.cumsum([len(legs) for legs in accounts])
    legs = [leg for account in accounts for leg in account]
    if any(leg.quantity % PRICE_UNIT for leg in legs):
        raise ValueError("books: a quantity is no multiple of 1e-8 coins")
    rows = np.array([table.unit(leg.instrument).line for leg in legs], dtype=np.int32)
    quantities = np.array([leg.quantity // PRICE_UNIT for leg in legs], dtype=np.int64)
    order = np.lexsort((rows, np.repeat(np.arange(len(accounts)), np.diff(indptr))))
    return Books(indptr, rows[order], quantities[order])
