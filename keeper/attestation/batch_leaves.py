"""The margin leaves of all accounts at once: as `keeper.attestation.report.margin_leaf` of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np

from keeper.attestation.accounts import Accounts
from keeper.attestation.charges import breakdown_hashes, pledge_hashes
from keeper.attestation.hashing import Bytes, Integers
from keeper.attestation.leaves import WORDS, Leaves
from keeper.attestation.report import RiskTables, margin_leaf
from keeper.attestation.typed_data import MarginLeaf
from keeper.risk.batch import batch_margins
from keeper.risk.batch_margins import BatchMargins
from keeper.risk.batch_pledge import pledged
from keeper.risk.batch_table import BatchTable, batch_table
from keeper.risk.books import arranged
from keeper.risk.methodology import Methodology
from keeper.risk.wide import Wide, Words

_WORD = 32


@dataclass(frozen=True)
class BatchTables:
    """The risk tables with their arrays; the same object where effective and posted agree."""

    source: RiskTables
    effective: BatchTable
    posted: BatchTable


class Figures(NamedTuple):
    """What the engine says of accounts, in their order: the fields of a leaf that the market decides, WAD.

    `breakdown` has shape (n, 32). Of several parts one after the other see `joined`.
    """

    mark: Wide
    initial: Wide
    maintenance: Wide
    mark_posted: Wide
    maintenance_posted: Wide
    marginal: Words
    max_added: Wide
    breakdown: Bytes


# who computes the figures: this process, or others
Engine = Callable[[Accounts, BatchTables], Figures]


def batch_tables(tables: RiskTables) -> BatchTables:
    """Made once and used for all accounts."""
    effective = batch_table(tables.effective)
    if tables.posted is tables.effective:
        return BatchTables(tables, effective, effective)
    return BatchTables(tables, effective, batch_table(tables.posted))


def margin_leaves(accounts: Accounts, figures: Figures) -> Leaves:
    """Leaves of all accounts: the fields of `MarginLeaf` in order."""
    words = np.zeros((len(accounts), WORDS, _WORD), dtype=np.uint8)
    words[:, 0, -8:] = _eight(accounts.ids)
    words[:, 1:4] = accounts.heads
    words[:, 4] = figures.mark.bytes_of()
    words[:, 5] = figures.initial.bytes_of()
    words[:, 6] = figures.maintenance.bytes_of()
    words[:, 7] = figures.mark_posted.bytes_of()
    words[:, 8] = figures.maintenance_posted.bytes_of()
    words[:, 9, -8:] = _eight(figures.marginal)
    words[:, 10] = figures.max_added.bytes_of()
    words[:, 11] = figures.breakdown
    return Leaves(words)


def figures_of(accounts: Accounts, tables: BatchTables) -> Figures:
    """Figures of all accounts, computed here.

    Raises:
        LookupError: a leg's instrument is not in the tables.
        OverflowError: an account cannot be margined.
    """
    effective = _margins(accounts, tables.effective)
    posted = effective if tables.posted is tables.effective else _margins(accounts, tables.posted)
    now, then = effective.levels, posted.levels
    found = Figures(
        mark=effective.marks,
        initial=now.initial,
        maintenance=now.maintenance,
        mark_posted=posted.marks,
        maintenance_posted=then.maintenance,
        marginal=np.maximum(now.marginal, then.marginal),
        max_added=now.max_added.least(then.max_added),
        breakdown=breakdown_hashes(effective),
    )
    if not accounts.collateral:
        return found
    if posted is effective:
        found = found._replace(maintenance_posted=found.maintenance.copy())
    return _with_collateral(found, accounts, tables)


def joined(parts: Sequence[Figures]) -> Figures:
    """Figures of several parts of the accounts, in order."""

    def wide(numbers: Sequence[Wide]) -> Wide:
        return Wide(np.concatenate([n.high for n in numbers]), np.concatenate([n.low for n in numbers]))

    return Figures(
        mark=wide([p.mark for p in parts]),
        initial=wide([p.initial for p in parts]),
        maintenance=wide([p.maintenance for p in parts]),
        mark_posted=wide([p.mark_posted for p in parts]),
        maintenance_posted=wide([p.maintenance_posted for p in parts]),
        marginal=np.concatenate([p.marginal for p in parts]),
        max_added=wide([p.max_added for p in parts]),
        breakdown=np.concatenate([p.breakdown for p in parts]),
    )


def _with_collateral(found: Figures, accounts: Accounts, tables: BatchTables) -> Figures:
    """With those of the accounts that hold coins: which of them to pledge is searched for each."""
    rows = np.flatnonzero(np.isin(accounts.ids, np.array(sorted(accounts.collateral), dtype=np.int64)))
    holders = accounts.take(rows)
    own = _of_holders(holders, tables)
    for name in ("initial", "maintenance", "maintenance_posted", "max_added"):
        target, source = getattr(found, name), getattr(own, name)
        target.high[rows], target.low[rows] = source.high, source.low
    found.marginal[rows], found.breakdown[rows] = own.marginal, own.breakdown
    return found


def _of_holders(holders: Accounts, tables: BatchTables) -> Figures:
    """Figures of accounts that all hold coins."""
    effective = _margins(holders, tables.effective)
    posted = effective if tables.posted is tables.effective else _margins(holders, tables.posted)
    coins = [holders.collateral[account] for account in holders.ids.tolist()]
    now = pledged(effective, coins)
    then = now if posted is effective else pledged(posted, coins)
    bounds = [state.levels for state in (*now.states, *then.states)]
    found = Figures(
        mark=effective.marks,
        initial=now.initial,
        maintenance=now.maintenance,
        mark_posted=posted.marks,
        maintenance_posted=then.maintenance.copy(),
        marginal=np.max([bound.marginal for bound in bounds], axis=0),
        max_added=reduce(Wide.least, (bound.max_added for bound in bounds)),
        breakdown=breakdown_hashes(now.states[0], pledge_hashes(coins, now)),
    )
    for position in np.flatnonzero(now.undecided | then.undecided).tolist():
        _put_one(found, position, margin_leaf(holders[position], tables.source)[0])
    return found


def _put_one(found: Figures, position: int, leaf: MarginLeaf) -> None:
    """The figures of one account from its leaf."""
    found.initial.put(position, leaf.initial_margin)
    found.maintenance.put(position, leaf.maintenance_margin)
    found.maintenance_posted.put(position, leaf.maintenance_posted)
    found.marginal[position] = leaf.marginal
    found.max_added.put(position, leaf.max_added_im)
    found.breakdown[position] = np.frombuffer(leaf.breakdown_hash, dtype=np.uint8)


def _margins(accounts: Accounts, table: BatchTable) -> BatchMargins:
    books = arranged(
        accounts.indptr, accounts.instruments, accounts.columns, accounts.quantities, table.source
    )
    return batch_margins(table, books, _tiers(accounts, table.source.methodology), detail=False)


def _tiers(accounts: Accounts, methodology: Methodology) -> Integers:
    """The credit tiers that count."""
    stated = np.unique(accounts.tiers)
    counted = np.array([methodology.counted_tier(int(tier)) for tier in stated], dtype=np.int64)
    return counted[np.searchsorted(stated, accounts.tiers)] if len(stated) else accounts.tiers


def _eight(values: Integers | Words) -> Bytes:
    """As eight bytes each, big-endian."""
    return values.astype(">u8").view(np.uint8).reshape(-1, 8)
