"""All accounts in memory, as of any of the last blocks: read in full once, then kept up with what changes.

What the index rolls back is rolled back here: of every block that was followed the changed accounts are
remembered, and read anew when the block is no longer the chain's.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keeper.attestation.accounts import Accounts
from keeper.chain.index_reader import IndexReader
from keeper.chain.node import BlockRef
from keeper.jobs.book_check import BookCheck
from keeper.jobs.states import ObservationError, accounts_of, in_force
from keeper.store.index_store import AccountRow, ListingRow

_KEPT = 256  # blocks that can be rolled back without reading everything anew


@dataclass(frozen=True)
class Census:
    """All accounts in one block.

    Attributes:
        rows: as indexed, by id.
        accounts: as a snapshot holds them.
        listings: terms of the collateral tokens in force.
    """

    block: BlockRef
    rows: Mapping[int, AccountRow]
    accounts: Accounts
    listings: tuple[ListingRow, ...]


@dataclass(frozen=True)
class _Step:
    """One block that was followed, and the accounts that it and those between it and the last one changed."""

    number: int
    hash: str
    changed: frozenset[int]


class Books:
    """The accounts of one index. Safe to share between threads."""

    def __init__(
        self, index: IndexReader, check: BookCheck | None = None, checked: int | None = None
    ) -> None:
        """`checked`: a block at which the index has been compared with the chain account by account."""
        self._index = index
        self._checked = checked
        self.check = check or BookCheck()
        self._lock = threading.Lock()
        self._steps: deque[_Step] = deque(maxlen=_KEPT)
        self._rows: dict[int, AccountRow] = {}
        self._accounts = Accounts.of([])
        self._listings: tuple[ListingRow, ...] = ()

    def at(self, block: BlockRef) -> Census:
        """All accounts as of a block that the index has reached.

        Raises:
            ObservationError: the index has another block there by now, or holds a token that is not listed.
        """
        with self._lock:
            census = self._at(block)
            found = self._index.block(block.number)
            if found is None or found.hash != block.hash:
                self._steps.clear()  # read while the index was rolled back: nothing of it counts
                raise ObservationError(f"index: block {block.number} is no longer {block.hash}")
            return census

    def forget(self) -> None:
        """Read everything anew the next time: the index has changed under the same blocks."""
        with self._lock:
            self._steps.clear()

    def _at(self, block: BlockRef) -> Census:
        stale = self._rolled_back()
        if not self._steps:
            return self._load(block)
        last = self._steps[-1]
        if block.number < last.number:
            self._follow(last.number, last.hash, stale)
            return self._before(block)
        stale |= set(self._index.changed(last.number, block.number))
        self._follow(block.number, block.hash, stale)
        return self._census(block)

    def _rolled_back(self) -> set[int]:
        """Accounts that blocks changed which are no longer the chain's; those blocks are forgotten."""
        stale: set[int] = set()
        while self._steps:
            step = self._steps[-1]
            found = self._index.block(step.number)
            if found is not None and found.hash == step.hash:
                return stale
            stale |= step.changed
            self._steps.pop()
        return set()

    def _load(self, block: BlockRef) -> Census:
        """Everything anew."""
        self._rows = {row.account: row for row in self._index.accounts(block.number)}
        self._listings = self._listed(block)
        self._accounts = accounts_of(self._rows.values(), self._listings)
        self._steps.append(_Step(block.number, block.hash, frozenset()))
        unchecked = (
            list(self._rows) if self._checked is None else self._index.changed(self._checked, block.number)
        )
        self._checked = None  # the next time it is for a reason
        self.check.changed(unchecked)
        return self._census(block)

    def _follow(self, number: int, hash: str, changed: set[int]) -> None:
        """Read changed accounts as of a block."""
        if changed:
            self._rows, self._accounts = self._with(number, changed, self._listings)
            self.check.changed(list(changed))
        if self._steps[-1].number < number:
            self._steps.append(_Step(number, hash, frozenset(changed)))

    def _census(self, block: BlockRef) -> Census:
        """Of the last block that was followed; collateral counts as much as it does at the block's time."""
        listings = self._listed(block)
        if listings != self._listings:
            holders = _holders(self._rows.values(), self._listings, listings)
            self._accounts = self._accounts.changed(accounts_of(holders, listings))
            self._listings = listings
        return Census(block, self._rows, self._accounts, listings)

    def _before(self, block: BlockRef) -> Census:
        """Of a block before the last one; nothing is kept of it."""
        listings = self._listed(block)
        if block.number < self._steps[0].number:
            rows = {row.account: row for row in self._index.accounts(block.number)}
            return Census(block, rows, accounts_of(rows.values(), listings), listings)
        changed = set().union(*(step.changed for step in self._steps if step.number > block.number))
        rows, accounts = self._with(block.number, changed, listings)
        holders = _holders(rows.values(), self._listings, listings)
        return Census(block, rows, accounts.changed(accounts_of(holders, listings)), listings)

    def _with(
        self, number: int, changed: set[int], listings: Iterable[ListingRow]
    ) -> tuple[dict[int, AccountRow], Accounts]:
        """Rows and columns with some accounts as they were in a block, without those that were not there."""
        found = self._index.accounts(number, sorted(changed))
        rows = self._rows | {row.account: row for row in found}
        missing = changed - {row.account for row in found}
        for account in missing:
            rows.pop(account, None)
        return rows, self._accounts.changed(accounts_of(found, listings), without=missing)

    def _listed(self, block: BlockRef) -> tuple[ListingRow, ...]:
        return tuple(in_force(row, block.timestamp) for row in self._index.listings(block.number))


def _holders(
    rows: Iterable[AccountRow], before: Iterable[ListingRow], after: Iterable[ListingRow]
) -> list[AccountRow]:
    """Accounts that hold a token whose terms differ."""
    known = {row.index: row for row in before}
    tokens = {row.index for row in after if known.get(row.index) != row}
    if not tokens:
        return []
    return [row for row in rows if any(index in tokens for index, _ in row.collateral)]
