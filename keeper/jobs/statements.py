"""The epochs that a keeper serves: recomputed from what is kept of them, to the bit, after a restart.

Kept is the snapshot without its accounts: those are in the index, as of the snapshot's block, so keeping an
epoch costs the same whatever their number. What is put together again must have the root that was kept.
"""

import threading
from collections import OrderedDict
from dataclasses import replace

from keeper.attestation.accounts import Accounts
from keeper.attestation.epoch import EpochStatement, build
from keeper.attestation.snapshot import Snapshot
from keeper.chain.index_reader import NotHeldError
from keeper.chain.node import BlockRef
from keeper.jobs.books import Books
from keeper.jobs.states import ObservationError
from keeper.network.schemas import hex_text
from keeper.risk.methodology import Methodology
from keeper.store import statement_store
from keeper.store.database import Database

_KEPT = 8  # in memory; older ones are recomputed on demand

Pair = tuple[Snapshot, EpochStatement]


class Statements:
    """Epochs by number, with the snapshot behind each."""

    def __init__(self, database: Database, methodology: Methodology, books: Books) -> None:
        self._database = database
        self._methodology = methodology
        self._books = books
        self._cache: OrderedDict[int, Pair] = OrderedDict()
        self._adopted: EpochStatement | None = None
        self._latest = 0
        self._lock = threading.Lock()
        self._building = threading.Lock()  # of those that ask for the same old epoch one computes it

    def keep(self, snapshot: Snapshot, statement: EpochStatement) -> None:
        """Serve an epoch from now on: durable when this returns."""
        number, content = statement.epoch.number, replace(snapshot, accounts=Accounts.of([])).to_json()
        with self._database.begin() as connection:
            statement_store.keep_snapshot(connection, number, hex_text(statement.root), content)
        self._remember(number, snapshot, statement)

    def publish(self, number: int) -> None:
        """`number` is the latest epoch on the chain."""
        self._latest = number

    def latest(self) -> EpochStatement | None:
        """The latest posted epoch, if its snapshot is here."""
        return self.get(self._latest) if self._latest else None

    def get(self, number: int) -> EpochStatement | None:
        """One epoch."""
        found = self.pair(number)
        if found is not None:
            return found[1]
        adopted = self._adopted
        return adopted if adopted is not None and adopted.epoch.number == number else None

    def pair(self, number: int) -> Pair | None:
        """Snapshot and epoch; None where it was never kept, or cannot be put together any more."""
        found = self._remembered(number)
        if found is not None:
            return found
        with self._building:
            return self._remembered(number) or self._rebuilt(number)

    def adopt(self, statement: EpochStatement) -> None:
        """Serve an epoch of which only the leaves are known: in memory, as others serve it, too."""
        with self._lock:
            self._adopted = statement

    def completed(self, snapshot: Snapshot) -> Snapshot | None:
        """With the accounts that the index has at its block; None where that block is not there."""
        if len(snapshot.accounts):  # the first release kept them in the snapshot
            return snapshot
        block = BlockRef(snapshot.block_number, hex_text(snapshot.block_hash), "", snapshot.market.timestamp)
        try:
            return replace(snapshot, accounts=self._books.at(block).accounts)
        except (ObservationError, NotHeldError):
            return None

    def snapshot_text(self, number: int) -> str | None:
        """Canonical JSON of the snapshot behind an epoch: whoever has it can compute the epoch anew."""
        found = self.pair(number)
        return None if found is None else found[0].to_json()

    def inputs_text(self, number: int) -> str | None:
        """The same without its accounts, which everybody has from the chain: small however many they are."""
        with self._database.read() as connection:
            kept = statement_store.kept_snapshot(connection, number)
        return None if kept is None else kept.content

    def highest(self) -> int:
        """Highest number ever used here; a retry takes a higher one."""
        with self._database.begin() as connection:
            return statement_store.highest_number(connection)

    def _rebuilt(self, number: int) -> Pair | None:
        with self._database.read() as connection:
            kept = statement_store.kept_snapshot(connection, number)
        snapshot = None if kept is None else self.completed(Snapshot.from_json(kept.content))
        if kept is None or snapshot is None or snapshot.methodology_hash != self._methodology.hash():
            return None  # of another chain or of other parameters: no longer reproducible here
        try:
            statement = build(snapshot, self._methodology, number)
        except (ValueError, LookupError, OverflowError):
            return None
        if hex_text(statement.root) != kept.root:
            return None
        self._remember(number, snapshot, statement)
        return snapshot, statement

    def _remembered(self, number: int) -> Pair | None:
        with self._lock:
            return self._cache.get(number)

    def _remember(self, number: int, snapshot: Snapshot, statement: EpochStatement) -> None:
        with self._lock:
            self._cache[number] = (snapshot, statement)
            self._cache.move_to_end(number)
            while len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
