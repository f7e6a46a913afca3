"""Legs of many accounts in the order of a table's rows."""

from keeper.risk.compiled import Array, compiled


@compiled
def arrange(indptr: Array, rows: Array, quantities: Array, span: tuple[int, int]) -> None:
    """Sorts the legs of the accounts `span` by row, in place: by insertion, as most are in order already."""
    for account in range(span[0], span[1]):
        for j in range(indptr[account] + 1, indptr[account + 1]):
            row, quantity = rows[j], quantities[j]
            k = j
            while k > indptr[account] and rows[k - 1] > row:
                rows[k], quantities[k] = rows[k - 1], quantities[k - 1]
                k -= 1
            rows[k], quantities[k] = row, quantity
