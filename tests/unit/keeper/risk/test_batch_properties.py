"""What the design rests on, for random books and random trades on them, by the hundred thousand.

BOOKS_CAMPAIGN multiplies the 100,000 books of a quick run: `BOOKS_CAMPAIGN=10` is a million, in two minutes.
"""

import os
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from keeper.pricing.kernels import Floats
from keeper.risk.batch import batch_margins
from keeper.risk.batch_margins import BatchMargins
from keeper.risk.batch_table import BatchTable, batch_table
from keeper.risk.books import Books
from keeper.risk.concentration import Position, reach
from keeper.risk.floor import maintenance_floor
from keeper.risk.levels import bound_of
from keeper.risk.margin import build_table, unit_margins
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.units.constants import PRICE_UNIT, WAD
from tests.support.random_books import merged, random_books, smile_market, universe

BATCH = 50_000
CAMPAIGN = 2 * int(os.environ.get("BOOKS_CAMPAIGN", "1"))
# quanta per leg, and per coin of what unit margins multiply: every unit margin is rounded to a few
SLACK = 16.0
# so low that a tenth of the books are concentrated somewhere
THRESHOLD_USD = 50_000


@cache
def table() -> BatchTable:
    methodology = Methodology.default()
    spots = [replace(u.spot, threshold_usd=THRESHOLD_USD) for u in methodology.underlyings]
    listed = zip(methodology.underlyings, spots, strict=True)
    methodology = replace(methodology, underlyings=tuple(replace(u, spot=spot) for u, spot in listed))
    market = smile_market()
    return batch_table(build_table(market, methodology, universe(market)))


class Trial:
    """Books before and after random trades, the trades alone, and what unit margins say of them; quanta."""

    def __init__(self, seed: int) -> None:
        count = len(table().instruments)
        before = random_books(count, BATCH, 6, seed=2 * seed)
        trades = random_books(count, BATCH, 4, seed=2 * seed + 1)
        self.before, self.alone = batch_margins(table(), before), batch_margins(table(), trades)
        self.after = batch_margins(table(), merged(before, trades, count))
        self.added_initial = _unit_sums(trades, 0)
        undone = replace(trades, quantities=-trades.quantities)
        self.undone_initial, self.undone_maintenance = _unit_sums(undone, 0), _unit_sums(undone, 1)
        coins = _sums(trades, np.abs(trades.quantities) / 1e8)
        self.slack = SLACK * (np.diff(trades.indptr) + np.diff(before.indptr) + coins)


@cache
def _unit_rates() -> Floats:
    """Initial and maintenance margin of one unit, long and short, quanta; shape (2, 2, rows)."""
    instruments = table().instruments
    found = {u.instrument: u for u in unit_margins(table().source, instruments)}
    units = [found[i] for i in instruments]
    rows = [
        [[u.im_long for u in units], [u.im_short for u in units]],
        [[u.mm_long for u in units], [u.mm_short for u in units]],
    ]
    return np.array(rows, dtype=np.float64) / 1e12


def _unit_sums(books: Books, kind: int) -> Floats:
    rates = _unit_rates()[kind]
    long, short = rates[0][books.rows], rates[1][books.rows]
    return _sums(books, np.where(books.quantities > 0, long, short) * np.abs(books.quantities) / 1e8)


def _sums(books: Books, values: Floats) -> Floats:
    running = np.concatenate([[0.0], np.cumsum(values)])
    return running[books.indptr[1:]] - running[books.indptr[:-1]]


def _reach(found: BatchMargins) -> tuple[Floats, Floats]:
    """Marginal multiplier, and the stand-alone margin up to which it holds, quanta."""
    source, methodology = found.table.source, found.table.source.methodology
    ids = [u.underlying for u in source.market.underlyings]
    marginal, most = np.empty(len(found)), np.empty(len(found))
    cores = [core * methodology.quantum_e8 * PRICE_UNIT for core in found.core.tolist()]
    held = np.stack([found.greeks.net, found.greeks.charged], axis=2)
    for account, row in enumerate(held.tolist()):
        positions = {u: Position(*pair) for u, pair in zip(found.table.underlyings, row, strict=True)}
        growth = reach([positions], ids, methodology)
        bound = bound_of(growth, [cores[account]], PPM, methodology)
        marginal[account], most[account] = bound.marginal / WAD, bound.max_added / 1e12
    return marginal, most


def _initial(found: BatchMargins) -> Floats:
    return np.asarray(found.initial.astype(np.float64) / 1e12)


def _maintenance(found: BatchMargins) -> Floats:
    return np.asarray(found.maintenance.astype(np.float64) / 1e12)


@pytest.mark.parametrize("seed", range(CAMPAIGN))
def test_trades__any__bounds_hold(seed: int) -> None:
    trial = Trial(seed)
    marginal, most = _reach(trial.before)
    holds = np.maximum(trial.added_initial, trial.undone_initial) <= most
    slack = trial.slack * marginal

    # the pass bound: what headroom allows is enough
    grown = _initial(trial.after) - _initial(trial.before) - marginal * trial.added_initial
    assert (grown <= slack)[holds].all()
    # the flag bound: what a replay proves is not too much
    fallen = _maintenance(trial.before) - _maintenance(trial.after) - marginal * trial.undone_maintenance
    assert (fallen <= slack)[holds].all()
    # neither says nothing
    assert holds.mean() > 0.5
    assert (marginal > 1.4).mean() > 0.02


def test_core__two_books__subadditive_apart_from_concentration() -> None:
    trial = Trial(1_000)
    apart = [found.greeks.concentration == 0 for found in (trial.before, trial.alone, trial.after)]
    alike = apart[0] & apart[1] & apart[2]

    excess = trial.after.core - trial.before.core - trial.alone.core

    assert alike.mean() > 0.5
    assert (excess <= trial.slack)[alike].all()


def test_floor__any_book__at_most_maintenance_margin() -> None:
    found = batch_margins(table(), random_books(len(table().instruments), 1_000, 8, seed=3_000))
    floors = [maintenance_floor(found.legs(account), table().source) for account in range(len(found))]

    assert all(floor <= margin for floor, margin in zip(floors, found.maintenance, strict=True))
    assert sum(floor > 0 for floor in floors) > 500
