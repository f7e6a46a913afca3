"""Margins of many accounts at once: the numbers of `keeper.risk.margin`, to the last digit, from arrays.

Everything is sums of whole numbers below 2**53 in doubles, and roots that comparing squares decides, so no
rounding depends on the machine. What cannot be decided so (positions above two billion USD, a root too near a
whole number, a mark at the edge of its bracket) is recomputed account by account with integers of any length.

Collateral is not in it: an account that holds coins needs `keeper.risk.margin.account_margin`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keeper.risk.batch_blocks import Span, in_blocks
from keeper.risk.batch_margins import BatchMargins, Shortfalls
from keeper.risk.batch_table import BatchTable
from keeper.risk.books import Books
from keeper.risk.compiled_addons import AddonResult, charge_addons
from keeper.risk.compiled_greeks import GreeksResult, charge_greeks
from keeper.risk.compiled_marks import MarkResult, mark
from keeper.risk.compiled_scan import Positions, ScanResult, fits, scan
from keeper.risk.compiled_shortfall import shortfall
from keeper.risk.scan import Integers


def batch_margins(
    table: BatchTable,
    books: Books,
    tiers: Sequence[int] | Integers | None = None,
    *,
    detail: bool = True,
    threads: int | None = None,
) -> BatchMargins:
    """Marks and margins of all accounts.

    Args:
        tiers: credit tier of each account; the anonymous one when left out.
        detail: whether to keep binding scenarios and the numbers by group and underlying.
        threads: as many as there are cores when left out; they change nothing but the time.

    Raises:
        ValueError: no such credit tier.
        OverflowError: a leg's profit and loss does not fit; the account cannot be margined.
    """
    size, positions = len(books), Positions(books.indptr, books.rows, books.quantities)
    kept = np.zeros(size, dtype=np.bool_)
    scanned = scan_result(table, size, detail=detail)
    addons = _addon_result(size)
    greeks = _greeks_result(size, len(table.underlyings))
    losses, risk = np.zeros((size, len(table.tail.whole)), dtype=np.int64), np.zeros(size, dtype=np.int64)
    marks = MarkResult(np.zeros((size, 3), dtype=np.int64), np.zeros(size, dtype=np.bool_))
    share = float(table.source.methodology.scan.offset_ppm)

    def block(span: Span) -> None:
        fits(positions, table.peaks, span, kept)
        scan(positions, table.cells, table.layout, share, span, scanned)
        shortfall(positions, table.history, table.tail, span, losses, risk)
        charge_greeks(positions, table.units, table.weights, span, greeks)
        charge_addons(positions, table.addons, span, addons)
        mark(positions, table.terms, span, marks)

    in_blocks(block, size, threads)
    multipliers, shortfalls = _multipliers(table, size, tiers), Shortfalls(losses, risk)
    found = BatchMargins(table, books, multipliers, scanned, greeks, shortfalls, addons, marks)
    found.recompute(np.flatnonzero(~kept | greeks.undecided | addons.undecided))
    return found


def margins_of_positions(found: BatchMargins, positions: Positions) -> BatchMargins:
    """The same accounts with other positions; add-ons and marks stay: coins beside a book do not enter them.

    Nothing is recomputed: `recomputed` are the accounts that need integers of any length.
    """
    table, size = found.table, len(found)
    kept = np.zeros(size, dtype=np.bool_)
    scanned = scan_result(table, size, detail=False)
    greeks = _greeks_result(size, len(table.underlyings))
    losses, risk = np.zeros((size, len(table.tail.whole)), dtype=np.int64), np.zeros(size, dtype=np.int64)
    share = float(table.source.methodology.scan.offset_ppm)

    def block(span: Span) -> None:
        fits(positions, table.peaks, span, kept)
        scan(positions, table.cells, table.layout, share, span, scanned)
        shortfall(positions, table.history, table.tail, span, losses, risk)
        charge_greeks(positions, table.units, table.weights, span, greeks)

    in_blocks(block, size, None)
    unsure = np.flatnonzero(~kept | greeks.undecided).tolist()
    changed: dict[str, Any] = {"scan": scanned, "greeks": greeks, "shortfalls": Shortfalls(losses, risk)}
    return replace(found, **changed, recomputed=unsure)


def scan_result(table: BatchTable, size: int, *, detail: bool) -> ScanResult:
    """Room for the scan of `size` accounts."""
    groups, underlyings = (len(table.groups), len(table.underlyings)) if detail else (0, 0)
    return ScanResult(
        charge=np.zeros(size, dtype=np.int64),
        loss=np.zeros((size, groups), dtype=np.int64),
        column=np.full((size, groups), -1, dtype=np.int32),
        profit=np.zeros((size, underlyings), dtype=np.int64),
    )


def _greeks_result(size: int, underlyings: int) -> GreeksResult:
    charges = ("total", "delta", "vega", "curvature", "theta", "concentration", "roll")
    return GreeksResult(
        **{name: np.zeros(size, dtype=np.int64) for name in charges},
        **{name: np.zeros((size, underlyings), dtype=np.int64) for name in ("net", "charged")},
        worst_set=np.zeros(size, dtype=np.int8),
        undecided=np.zeros(size, dtype=np.bool_),
    )


def _addon_result(size: int) -> AddonResult:
    charges = ("naked", "perps", "confidence", "liquidity")
    return AddonResult(
        **{name: np.zeros(size, dtype=np.int64) for name in charges}, undecided=np.zeros(size, dtype=np.bool_)
    )


def _multipliers(table: BatchTable, size: int, tiers: Sequence[int] | Integers | None) -> Integers:
    """Multiplier of the core margin of each account, ppm."""
    methodology = table.source.methodology
    chosen = np.zeros(size, dtype=np.int64) if tiers is None else np.asarray(tiers, dtype=np.int64)
    if chosen.shape != (size,):
        raise ValueError("batch: needs one credit tier per account")
    known = {int(tier): methodology.multiplier_ppm(int(tier)) for tier in np.unique(chosen)}
    result = np.zeros(size, dtype=np.int64)
    for tier, multiplier in known.items():
        result[chosen == tier] = multiplier
    return result
