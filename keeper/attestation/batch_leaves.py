"""The margin leaves of all accounts at once: as `keeper.attestation.report.margin_leaf` of each."""

from dataclasses import dataclass

import numpy as np

from keeper.attestation.accounts import Accounts
from keeper.attestation.charges import breakdown_hashes
from keeper.attestation.hashing import Bytes, Integers
from keeper.attestation.leaves import WORDS, Leaves
from keeper.attestation.report import RiskTables, margin_leaf
from keeper.risk.batch import batch_margins
from keeper.risk.batch_margins import BatchMargins
from keeper.risk.batch_table import BatchTable, batch_table
from keeper.risk.books import arranged
from keeper.risk.methodology import Methodology

_WORD = 32


@dataclass(frozen=True)
class BatchTables:
    """The arrays of both tables; the same object where they agree."""

    effective: BatchTable
    posted: BatchTable


def batch_tables(tables: RiskTables) -> BatchTables:
    """Made once and used for all accounts."""
    effective = batch_table(tables.effective)
    if tables.posted is tables.effective:
        return BatchTables(effective, effective)
    return BatchTables(effective, batch_table(tables.posted))


def margin_leaves(accounts: Accounts, tables: RiskTables, arrays: BatchTables | None = None) -> Leaves:
    """Leaves of all accounts.

    Args:
        arrays: of `batch_tables(tables)`, to save making them.

    Raises:
        LookupError: a leg's instrument is not in the tables.
        OverflowError: an account cannot be margined.
    """
    arrays = arrays or batch_tables(tables)
    effective = _margins(accounts, arrays.effective)
    posted = effective if arrays.posted is arrays.effective else _margins(accounts, arrays.posted)
    words = _words(accounts, effective, posted)
    for account in accounts.collateral:
        position = accounts.find(account)
        assert position is not None
        leaf, _ = margin_leaf(accounts[position], tables)
        words[position] = Leaves.of([leaf]).words[0]
    return Leaves(words)


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


def _words(accounts: Accounts, effective: BatchMargins, posted: BatchMargins) -> Bytes:
    """The fields of `MarginLeaf` in order."""
    now, then = effective.levels, posted.levels
    words = np.zeros((len(accounts), WORDS, _WORD), dtype=np.uint8)
    words[:, 0, -8:] = _eight(accounts.ids)
    words[:, 1:4] = accounts.heads
    words[:, 4] = effective.marks.bytes_of()
    words[:, 5] = now.initial.bytes_of()
    words[:, 6] = now.maintenance.bytes_of()
    words[:, 7] = posted.marks.bytes_of()
    words[:, 8] = then.maintenance.bytes_of()
    words[:, 9, -8:] = _eight(np.maximum(now.marginal, then.marginal))
    words[:, 10] = now.max_added.least(then.max_added).bytes_of()
    words[:, 11] = breakdown_hashes(effective)
    return words


def _eight(values: Integers) -> Bytes:
    """As eight bytes each, big-endian."""
    return values.astype(">u8").view(np.uint8).reshape(-1, 8)
