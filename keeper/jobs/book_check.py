"""Checks that the books in memory are the chain's: the number of accounts, every account that has changed,
and a sample that comes round to all of them.
"""

from collections.abc import Mapping, Sequence

from keeper.attestation.accounts import Accounts
from keeper.chain.contracts import Protocol, Summary
from keeper.chain.node import BlockRef
from keeper.jobs.states import DisagreementError
from keeper.store.index_store import AccountRow

SAMPLE = 256  # accounts of one check, beside those that have changed


class BookCheck:
    """Remembers which accounts have changed since they were checked. All of them have at the start."""

    def __init__(self, sample: int = SAMPLE) -> None:
        self._sample = sample
        self._next = 0  # position of the sample
        self._due: set[int] = set()

    def changed(self, accounts: Sequence[int]) -> None:
        """These must be checked next time."""
        self._due.update(accounts)

    def run(
        self, protocol: Protocol, block: BlockRef, rows: Mapping[int, AccountRow], accounts: Accounts
    ) -> None:
        """Compare with the chain at a block.

        Raises:
            DisagreementError: naming the first account and figure that differs.
            NodeError: the node did not answer; everything stays due.
        """
        count = protocol.account_count(block.hash)
        if count != len(accounts):
            raise DisagreementError(f"index: the chain has other accounts than the {len(accounts)} indexed")
        asked = sorted({*self._due, *self._sampled(accounts)} & rows.keys())
        for account, found in zip(asked, protocol.summaries(block.hash, asked), strict=True):
            _require_same(rows[account], found)
        self._due.clear()
        self._next += self._sample

    def _sampled(self, accounts: Accounts) -> list[int]:
        """The next ones in turn."""
        size = len(accounts)
        if size <= self._sample:
            return [int(account) for account in accounts.ids]
        start = self._next % size
        return [int(accounts.ids[(start + i) % size]) for i in range(self._sample)]


def _require_same(row: AccountRow, found: Summary) -> None:
    """The index must hold exactly the book whose hash the chain states."""
    ours = Summary.of(len(row.positions), row.cash, row.added_im, row.added_mark, row.book_hash)
    if ours != found:
        raise DisagreementError(
            f"index: {ours.difference(found)} of account {row.account} differs from the chain's"
        )
