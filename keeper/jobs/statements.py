"""The epochs that a keeper serves: recomputed from their stored snapshots, to the bit, after a restart."""

import threading
from collections import OrderedDict

from keeper.attestation.epoch import EpochStatement, build
from keeper.attestation.snapshot import Snapshot
from keeper.network.schemas import hex_text
from keeper.risk.methodology import Methodology
from keeper.store import statement_store
from keeper.store.database import Database

_KEPT = 8  # in memory; older ones are recomputed on demand


class Statements:
    """Epochs by number, with the snapshot behind each."""

    def __init__(self, database: Database, methodology: Methodology) -> None:
        self._database = database
        self._methodology = methodology
        self._cache: OrderedDict[int, tuple[Snapshot, EpochStatement]] = OrderedDict()
        self._latest = 0
        self._lock = threading.Lock()

    def keep(self, snapshot: Snapshot, statement: EpochStatement) -> None:
        """Serve an epoch from now on: durable when this returns."""
        number = statement.epoch.number
        with self._database.begin() as connection:
            statement_store.keep_snapshot(connection, number, hex_text(statement.root), snapshot.to_json())
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
        return None if found is None else found[1]

    def pair(self, number: int) -> tuple[Snapshot, EpochStatement] | None:
        """Snapshot and epoch."""
        with self._lock:
            if number in self._cache:
                return self._cache[number]
        with self._database.begin() as connection:
            content = statement_store.kept_snapshot(connection, number)
        if content is None:
            return None
        snapshot = Snapshot.from_json(content)
        if snapshot.methodology_hash != self._methodology.hash():
            return None  # of other parameters: no longer reproducible here
        statement = build(snapshot, self._methodology, number)
        self._remember(number, snapshot, statement)
        return snapshot, statement

    def snapshot_text(self, number: int) -> str | None:
        """Canonical JSON of the snapshot behind an epoch: whoever has it can compute the epoch anew."""
        with self._database.begin() as connection:
            return statement_store.kept_snapshot(connection, number)

    def highest(self) -> int:
        """Highest number ever used here; a retry takes a higher one."""
        with self._database.begin() as connection:
            return statement_store.highest_number(connection)

    def _remember(self, number: int, snapshot: Snapshot, statement: EpochStatement) -> None:
        with self._lock:
            self._cache[number] = (snapshot, statement)
            self._cache.move_to_end(number)
            while len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
